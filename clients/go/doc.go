// Package tidegate is a client of Tidegate: live views, streamed over gRPC.
//
// A [View] has typed rows and keys, either of generated code ([NewView]) or as
// the server describes them ([Client.View]). A view is read ([View.Get],
// [View.Scan]) or followed: a [Subscription] is a snapshot, then every change,
// in order; a [Session] is many of these on one stream, whose keys come and go.
//
// Both survive: they connect again after a cut, after a jittered and growing
// wait, and go on at the exact change where they stood. They prove it: each
// batch of changes says which range of the change log it covers, and a batch
// that does not begin where the stream stood ends it with a
// [BrokenPromiseError]. What cannot be continued is a reset, said as an event.
//
// A [Mirror] keeps the rows, for any number of goroutines to read.
//
// # Goroutines
//
// A subscription and a session are pulled: they read from the network while
// their events are asked for, by one goroutine at a time. They have no queue
// that could grow: if nobody asks, the server waits, and later sends the newest
// row per key. Everything else is safe for concurrent use.
package tidegate
