// Package store is the write-ahead log: it keeps each accepted event in Redis
// until all its deliveries are done. It is the only package that speaks Redis.
//
// # Names in Redis
//
// An event is named by its ref, 24 bytes of SHA-256 over endpoint and event id.
// The ref chooses one of 64 partitions; {p} is the hash tag, so all that is
// kept of an event lives on one shard of a cluster and each step can be one script.
//
//	sallyport:{p}:event:<ref>    the record (state P, no expiry); or a value while its sender waits (state S, expires)
//	sallyport:{p}:marks:<xx>     hash: 12 bytes of the digest of a delivered event → when it is forgotten (s), and its content (expires)
//	sallyport:{p}:due            sorted set: delivery → when it may be claimed (us)
//	sallyport:{p}:attempts       hash: delivery → Failure as JSON, for those that failed once
//	sallyport:{p}:delayed        sorted set: delivery that failed once → when received (ms)
//	sallyport:{p}:held           sorted set: held delivery → when its age began (ms)
//	sallyport:{p}:backlog:<name> the same, of one target; the name is "namespace/endpoint/route"
//	sallyport:{p}:backlogs       sorted set: name of a backlog → when it last had its turn (us)
//	sallyport:{p}:dead           sorted set: delivery → when it was given up (ms)
//	sallyport:{p}:dead:<endpoint> the same, of one endpoint
//	sallyport:{p}:usage          hash: endpoint → "<pending> <held> <dead> <bytes>", what it has stored here
//	sallyport:{p}:purged:<delivery> who removed this dead letter a moment ago (expires)
//	sallyport:{p}:contents:<xx>  hash: 12 bytes of the digest of a content → when it is forgotten (s), "<ref of the event>|<ms>" (expires)
//	sallyport:{p}:journal:<endpoint> stream: the last audit records; p is that of the endpoint's name (expires)
//	sallyport:{p}:journal:<endpoint>!unauthentic the same, of requests that were not authentic
//	sallyport:{p}:traffic:<endpoint> sorted set: what last came and went → when (ms), and a count (expires)
//
// A delivery is "<ref>/<target>". While it exists it is in one of due, held and
// dead, never in two and never in none: that is what "stored" means. A held one
// is in the backlog of its target, too, and that is in backlogs; a dead one is in
// the index of its endpoint, too.
//
// # States
//
//	            Accept                     Delivered, the last of its event
//	(nothing) ─────────▶ leased ─────────────────────────────────▶ mark ──window──▶ (nothing)
//	                     ▲  │ ▲
//	        Claim, when  │  │ └─ Renew
//	        it is due    │  │
//	                     │  ├─ Retry, Release ─▶ waiting ────────────┐
//	                     └──┼────────────────────────────────────────┘
//	                        ├─ Hold ─▶ held ── Refill ─▶ leased
//	                        │           ▲
//	                        │           └─ Claim, of what waits for a blocked target
//	                        │
//	                        └─ DeadLetter ─▶ dead ── Accept of a duplicate ─▶ waiting
//	                                          │ └─── Revive ─▶ held
//	                                          └───── Purge ─▶ (nothing), and with the last one the event
//
// "leased" and "waiting" are one thing in Redis, an entry of due: a lease is an
// entry that is due when the lease ends. So when an owner dies, nothing has to
// be done for another receiver to get the delivery.
//
// Each arrow is one script, lua/<name>.lua, which names its KEYS, arguments and
// replies, and which checks before it writes. Redis runs a script as a whole,
// and its append-only file replays it as a whole.
//
// # What endpoints have stored
//
// The scripts of the arrows keep an endpoint's row of usage, each in the step in
// which it changes something: one that finds its own earlier run counts nothing. An
// endpoint without deliveries has no row. By bytes, Accept refuses what exceeds
// AcceptOptions.MaxQueuedBytes, or what Measures allow (memory.go). A script sees one
// partition: it takes what is little, and otherwise Accept counts the others and tells it
// what it may hold (bound.go).
//
// Rows are wrong after events were deleted by hand: the endpoint and size of what is
// gone can't be known. They are also wrong while an older version of this program, which
// does not count, writes too. In such a partition the rows don't add up to the sizes of
// the indexes. Recount finds it by that and counts it anew in one script; receivers ask
// for it about once a minute. Where there is too much for one script, the rows stay as
// they are until some of it is delivered.
//
// # Dead letters
//
// A dead letter that was found is fenced by when it was given up: Revive and Purge do
// nothing to one that was revived and has died again. Purge leaves no mark, so that
// a copy of the event that the provider sends later is a new event. It may share an
// event with deliveries that are not dead: the payload goes with the last of them.
//
// # Fencing
//
// The end of a lease is also its fencing token: every transition compares it to
// the score in due and does nothing if it differs. A new lease ends later than
// an old one, since a claim needs the old one to be over; a counter in its last
// digits keeps leases apart that end in one millisecond, as of two copies of one
// event that arrive together. Should two receivers draw the same digits for the
// same event in the same millisecond, it is delivered twice, and nothing else.
//
// # What happens if …
//
//	the process dies …
//	  before Accept's script       nothing is stored; the sender got no 2xx and sends again
//	  after it, before the answer  stored; claimed when the lease ends; the second copy is a duplicate
//	  during an attempt            claimed when the lease ends; the target may see the event twice
//	  after it, before Delivered   the same
//	  after Revive                 held: any receiver takes it from the backlog
//	  after Purge                  it is gone, and no audit record says so
//	  after Refill                 claimed when the lease ends
//	  after Retry, DeadLetter,
//	  Release, Hold                nothing is open
//	the reply of a script is lost  it is sent once more. Each script knows its own earlier run by
//	                               the fence or by the new score, and answers as that did. So the
//	                               client's retries are harmless. Revive and Purge leave a random
//	                               text by which they know it. Claim and Refill lease more
//	                               instead; what the lost reply named is due when the lease ends
//	Redis is away or hangs         Accept and Begin try again for as long as their Patience says, and a
//	                               try finds what an earlier one did. Then, and in all else, it is
//	                               ErrUnavailable within Options.Timeout. A script that was queued may
//	                               still run later: the event is stored and delivered although the
//	                               sender was told to send again, which makes a duplicate
//	Redis is full                  ErrFull. Redis checks for memory before the first write of a script
//	                               only, so an event is stored with its index or not at all. Claims
//	                               and outcomes, Revive and Purge start by removing something and
//	                               go on when full: they are what makes room
//	an endpoint has too much stored ErrQueueFull: nothing is stored. There is room again when some of
//	                               it is delivered or purged
//	Redis restarts                 scripts are loaded again on NOSCRIPT; what is kept is up to
//	                               appendonly and appendfsync, see CheckPolicy
//
// # Waiting for other servers
//
// With Options.Wait, an Accept is answered when so many servers have what it is
// about. Redis can only be asked for what one connection wrote, so the scripts
// of an Accept go to their server in one pipeline with WAIT or WAITAOF at its
// end (confirmer). What they find stored was maybe written by another connection
// and never confirmed: they write its first byte again, so that no Duplicate is
// answered that is less safe than an Accepted. If too few servers have it in
// time the answer is ErrUnconfirmed: the event is stored and will be delivered,
// and its sender has to come again. Finish waits, too, and nothing else does. A Delivered, Retry or
// DeadLetter that a failover forgets leads to one more delivery, not to a loss.
//
// # While the sender waits
//
// Of an event whose sender gets the target's answer nothing is stored. Under its name is
// a mark (state S), which Begin sets if there is nothing, and which ends by
// itself. Finish makes the mark of a delivered event of it, Forget removes it:
//
//	(nothing) ──Begin──▶ mark ──Finish──▶ delivered ──window──▶ (nothing)
//	                     └────Forget, or the lease ends────▶ (nothing)
//
// A mark is fenced by its own random bytes, so a late owner removes nothing of a
// copy that came since. Finish needs no fence: that the target has the event stays
// true. While there is a mark, Begin and Accept answer ErrInFlight.
//
// # Replay protection
//
// A content mark lives in a partition of its own, so Accept sets it before the
// event, in two steps. A mark is never believed alone: content counts as seen
// only if the event that the mark names is stored and was stored with that very
// content. A mark without an event is taken over once it is old enough; before,
// the answer is ErrBusy. So nothing is marked as seen without being stored.
//
// # Grouping
//
// Scripts of concurrent callers share round trips (an auto-pipeline). A script
// needs no order among those of other events, and an accept is one command, so
// no half of it can be lost with a connection. BenchmarkAccept compares this
// with plain commands and with one round trip per call. In a Cluster there is a pipeline
// for each master (servers.go), so that one that hangs fails only what it has.
//
// What is large goes by itself, on connections of its own (large.go), so that nothing
// small stands behind it. What is claimed is read in chunks (load.go), so that a slow
// link gets on.
//
// # Looking
//
// Receivers look for what is due and held all the time, and mostly there is nothing. So
// each remembers what it saw and wrote (outlook.go), and asks about the rest now and
// then. It is a hint and no more: scripts decide what is due.
package store
