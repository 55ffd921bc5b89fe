// Package live serves pages, and news of them, to browsers.
//
//	mux := http.NewServeMux()
//	mux.Handle("/{$}", live.Page(func() ([]byte, string, error) { … }))
//	stream := live.NewStream(news)
//	mux.Handle("/events", stream)
//	server, err := live.Serve("127.0.0.1:0", mux)
//	fmt.Println(server.URL())
//	stream.Poke()             // there may be news
//	stream.Close(last)        // these are the last
//	server.Close(ctx)
//
// # Promises
//
// A server only answers GET and HEAD. It refuses requests whose Host is a name other than
// localhost and the one that it was told to listen on: a page of another site that gets its
// own name to point here (DNS rebinding) reads nothing. Each page's content security policy
// is a header, too.
//
// A Stream keeps the latest of each kind of news, once for all clients. A client has a place
// in it and no queue: one that is slow, or that comes back, gets the latest of what it has
// not seen, and one that takes nothing for ten seconds is dropped. News are made by one
// goroutine, while somebody listens, and take at most a twentieth of its time. After Close no
// goroutine stays.
package live
