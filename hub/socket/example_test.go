package socket_test

import (
	"context"
	"errors"
	"net/http"

	"onair/hub/socket"
)

// The server sends each message back. An idle socket has no goroutine.
func ExampleAccept() {
	poller, err := socket.NewPoller()
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		conn, err := socket.Accept(w, r, socket.Options{Poller: poller})
		if refused, ok := errors.AsType[*socket.UpgradeError](err); ok {
			http.Error(w, refused.Reason, refused.Status)
		}
		if err != nil {
			return
		}
		conn.OnWritable(func(error) {})
		var readMessages func()
		readMessages = func() {
			for {
				text, err := conn.Read(context.Background())
				switch {
				case err == socket.ErrWouldBlock:
					conn.NotifyReadable(readMessages)
					return
				case err != nil:
					return // the socket is closed
				}
				conn.Write(socket.Message{Head: text}) // while the socket is full, messages are dropped
			}
		}
		go readMessages()
	})
}
