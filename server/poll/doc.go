// Package poll finds out, once an interval, which live sessions are pushed: it asks
// their cloud, and passes on what that says. What it means for a session is for the
// list to say.
//
// Make a [Poller] with [NewSender]; have it Run on one node, the keeper. Once asks for one
// live code, on any node.
//
// A round reads the cloud's list of all that is pushed, where it has one, and then
// asks singly for the sessions that the list does not name and that matter: evenly over
// what is left of the interval, those longest without an answer first. What does not
// fit into the interval waits for the next round. A cloud that has only the list is
// asked for it a second time.
//
// What must always hold:
//   - Offline is the cloud's answer to a question about that stream, or, where there
//     is none such, its absence from two whole lists, of which the second was begun after
//     the first had been read.
//   - No answer is no word. Failed is told only of a stream that had none while the
//     cloud answered others, before and after it. So a cloud that is away says nothing,
//     of anybody.
//   - That the cloud was asked too often is no word either.
//   - Everything is asked within the budget of the cloud's client.
package poll
