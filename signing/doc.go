// Package signing makes and checks the signed URLs with which anchors push to
// a cloud and viewers play from it.
//
// A [Signer] knows one provider's formula; [New] makes it by the provider's name.
// On top of it a [Pusher] gives an anchor what an encoder asks for, and a [Player]
// gives the play URLs of a live code, from domains that may be of different
// providers. Start with those two; call their Verify for what a media server's
// callback hands in. A [Playback] makes the URLs of recordings.
//
// Nothing here does I/O, reads a clock or keeps state: every result is a
// function of the configuration, the arguments and the time that is passed in,
// on every machine alike. So all nodes of a deployment put the same URL, byte
// for byte, into the same entry of a list. All types are safe for concurrent
// use, and making or checking a URL does not allocate.
//
// What must always hold:
//   - A URL made with the primary or the backup key verifies until it ends, and
//     nothing else does.
//   - What is hashed is what is printed: providers digest the literal text.
//   - For one key, no two pairs of stream and time that Verify accepts have
//     the same digest input (see [EndsInHexDigit] for why that needs care).
//   - No error holds a key, a digest or a query.
//   - Player.Expiry, and with it every play URL, is the same on all nodes.
//     Its golden test fails when a change would move it: nodes of two versions
//     would then disagree for as long as an upgrade takes.
//
// Nothing is escaped. A live code is [A-Za-z0-9_-] and stands in a URL as it
// is; whoever takes names from elsewhere checks them first. Key rotation is
// the primary and the backup key: the first signs, both verify.
package signing
