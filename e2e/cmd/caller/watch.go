package main

import (
	"net/http"
	"time"

	"sallyport/e2e/caller"
)

// watch sends a request until its answer changes, and answers then.
func watch(w http.ResponseWriter, r *http.Request) {
	var order caller.Watch
	if !read(w, r, &order) {
		return
	}
	for end := time.Now().Add(order.Most); ; {
		answer, _ := send(r.Context(), order.Request)
		if answer.Status != http.StatusOK || time.Now().After(end) {
			write(w, answer)
			return
		}
		select {
		case <-time.After(order.Pause):
		case <-r.Context().Done(): // nobody wants to know any more
			return
		}
	}
}
