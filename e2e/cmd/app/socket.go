package main

import (
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"sallyport/e2e/app"
)

// tick is how often the app says something on a WebSocket.
const tick = 100 * time.Millisecond

// socket takes a WebSocket, and talks until it is closed.
func (b *book) socket(w http.ResponseWriter, r *http.Request) {
	b.begin(user(r))
	defer b.end(user(r))
	upgrader := websocket.Upgrader{}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.Close()
	b.log(app.Began, user(r))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for { // what comes is no matter, its end is
			if _, _, err := conn.ReadMessage(); err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-gone:
			return
		case <-time.After(tick):
		}
		if conn.WriteMessage(websocket.TextMessage, []byte("tick")) != nil {
			return
		}
	}
}
