package demo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sallyport/internal/minicluster"
)

// Who there is in the cluster: the orders service, which the gate protects, and
// the cart service, which calls it.
const (
	namespace     = "shop"
	ownAccount    = "orders"
	ownPod        = "orders-0"
	callerAccount = "cart"
	callerPod     = "cart-0"
	callerUser    = "system:serviceaccount:shop:cart"
	ownUser       = "system:serviceaccount:shop:orders"
	ourAudience   = "orders.shop.svc"
)

// A world is all that a scene can act on.
type world struct {
	story  *story
	dir    string // for everything that is a file
	log    string // the gate's log, "" where it goes elsewhere
	args   []string
	client *http.Client

	program, flags string // see leaveWord

	cluster *minicluster.Cluster
	server  *minicluster.Server
	// own and caller keep the tokens of the gate and of the steady client.
	own, caller *minicluster.Kubelet
	app         *app
	gate        *Gate
	steady      *steady

	closers []func() error
}

// open sets the world up, and waits until the gate has started. Nothing of it
// ends with ctx: only close ends it, in order.
func open(ctx context.Context, o Options) (w *world, err error) {
	w = &world{
		story: newStory(o.Out, o.Colour), app: newApp(o.App),
		// Everything is on loopback: no proxy has a say in it.
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	w.onClose(func() error { w.client.CloseIdleConnections(); return nil })
	if w.dir, err = os.MkdirTemp("", "sallyport-demo-"); err != nil {
		return w, err
	}
	w.onClose(func() error { return os.RemoveAll(w.dir) })
	w.welcome()
	for _, step := range []func() error{w.openCluster, w.openVolumes, w.openApp} {
		if err := step(); err != nil {
			return w, err
		}
	}
	if err := w.openGate(ctx, o); err != nil {
		return w, err
	}
	w.steady = newSteady(w, w.caller.Path())
	w.background(w.steady.run)
	return w, nil
}

// onClose adds what close does. What was opened last is closed first.
func (w *world) onClose(f func() error) { w.closers = append(w.closers, f) }

func (w *world) close() error {
	var errs []error
	for _, f := range slices.Backward(w.closers) {
		errs = append(errs, f())
	}
	w.closers = nil
	return errors.Join(errs...)
}

// background runs f until close, which waits for it.
func (w *world) background(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { f(ctx) })
	w.onClose(func() error { cancel(); group.Wait(); return nil })
}

func (w *world) openCluster() (err error) {
	// A real API server remembers for 10 s whom it said yes to. Without that,
	// what the gate adds to it can be seen. The second key is for rotating: it
	// takes a moment to make, and a scene has none to lose.
	if w.cluster, err = minicluster.New(minicluster.Options{CacheTTL: -1, Keys: minicluster.SharedKeys(0, 2)}); err != nil {
		return err
	}
	if w.server, err = w.cluster.Serve(); err != nil {
		return err
	}
	w.onClose(func() error { w.server.Stop(); return nil })
	w.cluster.CreateServiceAccount(namespace, ownAccount)
	w.cluster.CreatePod(namespace, ownPod, ownAccount, "")
	w.cluster.Grant(ownUser, minicluster.Review)
	w.cluster.CreateServiceAccount(namespace, callerAccount)
	w.cluster.CreatePod(namespace, callerPod, callerAccount, "")
	w.story.say("apiserver", "at %s, issuer %s", w.server.URL(), minicluster.DefaultIssuer)
	return nil
}

// openApp serves the app.
func (w *world) openApp() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: w.app, ReadHeaderTimeout: patience}
	go s.Serve(l)
	w.onClose(s.Close)
	w.args = append(w.args, "--upstream=http://"+l.Addr().String())
	w.story.say("app", "an echo, at %s: it knows nothing of tokens", l.Addr())
	return nil
}

// ask is what the cart service asks a token for.
func ask(pod string, life time.Duration, audiences ...string) minicluster.Request {
	return minicluster.Request{Namespace: namespace, ServiceAccount: callerAccount, Pod: pod, TTL: life, Audiences: audiences}
}

// token issues a token to the cart service's pod, good for an hour.
func (w *world) token(audiences ...string) (string, error) {
	return w.cluster.Token(ask(callerPod, 0, audiences...))
}

// current is the token that is in the client's volume.
func (w *world) current() (string, error) {
	b, err := os.ReadFile(w.caller.Path())
	return string(b), err
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }
