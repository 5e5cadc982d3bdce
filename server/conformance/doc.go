// Package conformance tests clients. It plays the server's part of a script to the client
// under test, over a real WebSocket. For each step it reports whether the client did what
// the protocol requires and nothing that it forbids.
//
// # Scripts
//
// A script is a file of JSON lines with one action per line. Empty lines and lines that
// begin with # are ignored. Times are in milliseconds from the end of the previous action.
// An action that waits does so for within_ms; the default is five seconds.
//
//	{"welcome":{…}}                          sets the welcome of the next sockets
//	{"step":"…"}                             begins a step, which the report names
//	{"do":"…","how":"…"}                     asks for an action of the app's user
//	{"show":["…"],"how":"…"}                 states what the app must show now
//	{"connect":true}                         the client connects, sends its token and is welcomed
//	{"expect":{…},"unlike":{…}}              the client sends a message like the first and unlike the second
//	{"beats":3,"every_ms":1000}              the client sends so many beats on the interval
//	{"send":{…}} {"answer":{…}}              the server sends a message; an answer has the id of the last expected one
//	{"acks":"yes"}                           sets how beats are acknowledged: "yes", "held" or "no"
//	{"close":4200} {"drop":true}             the server closes the socket, or drops the connection
//	{"quiet_ms":1500}                        the client neither sends nor connects
//	{"never":["beat"],"for_ms":1500}         the client sends none of these; it may connect
//
// An action concerns the newest socket, or the one named by "on"; "as" names the socket of
// a connect. An event before after_ms is too early. With "connects": true the client may
// connect before it sends the expected message.
//
// In messages, "$now" is the time and "$token" the token of the client. In expected
// messages, "*" is any value, null is none, and any other "$name" is the value that it had
// first. Members that are not named may have any value. A beat may come at any time and is
// acknowledged as "acks" says.
package conformance
