package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"sallyport/e2e/caller"
)

// socket opens a WebSocket, and answers when it has ended.
func socket(w http.ResponseWriter, r *http.Request) {
	var order caller.Socket
	if read(w, r, &order) {
		write(w, keep(r.Context(), order))
	}
}

func keep(ctx context.Context, order caller.Socket) (closed caller.Closed) {
	ctx, cancel := context.WithTimeout(ctx, order.Most)
	defer cancel()
	token, err := tokenOf(order.TokenFile, order.Token)
	if err != nil {
		return caller.Closed{Error: err.Error()}
	}
	began := time.Now()
	defer func() { closed.Lasted = time.Since(began) }()
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, order.URL, http.Header{"Authorization": {"Bearer " + token}})
	if resp != nil {
		closed.Status = resp.StatusCode
	}
	if err != nil {
		closed.Error = err.Error()
		return closed
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for {
		if _, _, err = conn.ReadMessage(); err != nil {
			break
		}
		closed.Said++
	}
	// Where the connection was cut, the library makes up a code, 1006.
	var frame *websocket.CloseError
	if errors.As(err, &frame) && frame.Code != websocket.CloseAbnormalClosure {
		closed.Code, closed.Reason = frame.Code, frame.Text
		return closed
	}
	closed.Error = err.Error()
	return closed
}
