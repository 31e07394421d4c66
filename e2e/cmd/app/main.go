// App is an app behind a gate: some of its requests take a while, it finishes
// them when it is told to end, and it calls others. It is no part of the product.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sallyport/e2e/app"
)

// finish is how long requests may take to end: what deploy/sidecar.yaml grants
// an app.
const finish = 25 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "host:port")
	work := flag.Duration("work", 0, "end after this time, as a Job's program does (0: end when told to)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if *work > 0 {
		ctx, stop = context.WithTimeout(ctx, *work)
		defer stop()
	}
	if err := serve(ctx, *listen); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, listen string) error {
	var b book
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/call", b.write(call))
	mux.HandleFunc("/socket", b.socket)
	mux.HandleFunc("/", b.write(b.tell))
	server := &http.Server{Addr: listen, Handler: mux}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	b.log(app.Started, "")
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	b.log(app.Terminated, "")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finish)
	defer cancel()
	err := server.Shutdown(ctx)
	b.log(app.Ended, "")
	return err
}

// tell answers with what was seen, after the query's delay.
func (b *book) tell(r *http.Request) any {
	if delay, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil {
		b.log(app.Began, user(r))
		time.Sleep(delay)
	}
	pod, _ := os.Hostname()
	return app.Seen{
		Pod: pod, Target: r.RequestURI, User: user(r),
		Authorization: r.Header.Get("Authorization") != "", Anonymous: b.anonymous(),
	}
}

func user(r *http.Request) string { return r.Header.Get("X-Remote-User") }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // a caller that has gone is no matter
}
