// Package signing makes and verifies the signed URLs with which anchors push to
// a cloud, viewers play from it, and users play its recordings.
//
// A [Signer] implements the formula of one provider; [NewSigner] makes it by the
// provider's name. A [PushSigner] makes the URLs that an encoder needs, and a
// [PlaySigner] makes the play URLs of a live code, from domains that may be of
// different providers. Start with these two. Their Verify methods check what a
// media server's callback passes on. A [PlaybackSigner] makes the URLs of
// recordings.
//
// The package does no I/O and reads no clock. Every result is a function of the
// configuration, the arguments and the time that is passed in, so all nodes of a
// deployment put the same URL, byte for byte, into the same entry of a list. All
// types are safe for concurrent use. Making a URL does not allocate.
//
// Invariants:
//   - A URL made with the primary or the backup key verifies until it expires, and
//     nothing else does.
//   - The hashed text is the printed text: providers digest it literally.
//   - For one key, no two pairs of stream and time that Verify accepts have
//     the same digest input ([EndsInHexDigit] explains why that needs care).
//   - No error holds a key, a digest or a query.
//   - PlaySigner.Expiry, and with it every play URL, is the same on all nodes.
//     Its golden test fails when a change would move it: nodes of two versions
//     would disagree during an upgrade.
//
// Nothing is escaped. A live code is [A-Za-z0-9_-] and stands in a URL as it is;
// callers check names from other sources first. For key rotation there are the
// primary and the backup key: the first signs, both verify.
package signing
