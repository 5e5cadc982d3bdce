// Package conformance tests clients. It plays the server's side of a recorded
// script to the client under test, over a real WebSocket, and says of each step
// whether the client did what the protocol asks of it, and nothing that it
// forbids.
//
// # Scripts
//
// A script is a file of JSON lines, one action a line; lines that are empty or
// begin with # are for people. Times are in milliseconds and begin when the
// action before was done. An action that waits does so for within_ms, five
// seconds where it is left out.
//
//	{"welcome":{…}}                          what each socket is welcomed with from here on
//	{"step":"…"}                             begins a step, which is named in the verdict
//	{"do":"…","how":"…"}                     asks for something that only the app's user can do
//	{"show":["…"],"how":"…"}                 says what the app is to show by now
//	{"connect":true}                         the client connects, brings its token and is welcomed
//	{"expect":{…},"unlike":{…}}              the client sends this, and not that
//	{"beats":3,"every_ms":1000}              so many beats come, on the interval
//	{"send":{…}} {"answer":{…}}              the server says this; an answer has the id of what was expected last
//	{"acks":"yes"}                           beats are acknowledged from here on: "yes", "held" or "no"
//	{"close":4200} {"drop":true}             the server closes the socket, or it is lost
//	{"quiet_ms":1500}                        the client neither sends anything nor connects
//	{"never":["beat"],"for_ms":1500}         it sends none of these; it may connect
//
// An action is about the socket that was connected last, or was given the name
// in its "on"; "as" names the socket of a connect. What comes sooner than
// after_ms has come too soon. "connects": true lets the client connect before
// it sends what is expected, as where it may have kept its socket or not.
//
// In messages, "$now" is the time and "$token" the client's token. In what is
// expected, "*" is any value, null is none, and any other "$name" is the value
// that it was first seen with. Members that are not named may have any value.
// A beat may come at any time, and is answered as "acks" has it.
package conformance
