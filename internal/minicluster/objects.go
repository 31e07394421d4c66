package minicluster

import (
	"crypto/rand"
	"fmt"
	"time"
)

// objects are those that tokens belong to. The API server looks each of them up
// when it reviews a token.
type objects struct {
	accounts map[name]object
	pods     map[name]pod
	secrets  map[name]secret
	nodes    map[string]object
}

type name struct{ namespace, name string }

// An object is what all objects have.
type object struct {
	uid string
	// deleted is deletionTimestamp: when the grace of a deletion is over. Zero
	// where nobody deleted the object.
	deleted time.Time
}

type pod struct {
	object
	account, node string
}

type secret struct {
	object
	token string // of a legacy token, else ""
}

func newObjects() objects {
	return objects{map[name]object{}, map[name]pod{}, map[name]secret{}, map[string]object{}}
}

// newUID returns a random UUID (RFC 9562 section 5.4).
func newUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// CreateServiceAccount makes a service account. One of the same name is
// replaced, as if it had been deleted before: the new one has another uid.
// That is so for all objects.
func (c *Cluster) CreateServiceAccount(namespace, account string) (uid string) {
	o := object{uid: newUID()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects.accounts[name{namespace, account}] = o
	return o.uid
}

// DeleteServiceAccount removes a service account; its pods stay. With a grace
// it is marked to go at the end of the grace and stays, as an object does that
// somebody still holds on to, until it is deleted without one: its tokens are
// good for 60 s beyond the grace. That too is so for all objects.
func (c *Cluster) DeleteServiceAccount(namespace, account string, grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remove(c.objects.accounts, name{namespace, account}, grace, func(o object) object { return o.going(grace) })
}

// CreateNode makes a node.
func (c *Cluster) CreateNode(node string) (uid string) {
	o := object{uid: newUID()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects.nodes[node] = o
	return o.uid
}

// DeleteNode deletes a node. Its pods stay, and their tokens remain good.
func (c *Cluster) DeleteNode(node string, grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remove(c.objects.nodes, node, grace, func(o object) object { return o.going(grace) })
}

// CreatePod makes a pod that runs as account on node. The node may be "", and
// need not exist.
func (c *Cluster) CreatePod(namespace, podName, account, node string) (uid string) {
	p := pod{object{uid: newUID()}, account, node}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects.pods[name{namespace, podName}] = p
	return p.uid
}

// DeletePod deletes a pod: with the grace that a real one has (30 s, unless it
// says otherwise), or with none, which is what force does.
func (c *Cluster) DeletePod(namespace, podName string, grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remove(c.objects.pods, name{namespace, podName}, grace, func(p pod) pod {
		p.object = p.going(grace)
		return p
	})
}

// CreateSecret makes a Secret without a token, for tokens to be bound to.
func (c *Cluster) CreateSecret(namespace, secretName string) (uid string) {
	s := secret{object: object{uid: newUID()}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects.secrets[name{namespace, secretName}] = s
	return s.uid
}

// DeleteSecret deletes a Secret, with or without a token of the old kind. That
// token has no grace.
func (c *Cluster) DeleteSecret(namespace, secretName string, grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	remove(c.objects.secrets, name{namespace, secretName}, grace, func(s secret) secret {
		s.object = s.going(grace)
		return s
	})
}

// going returns the object, marked to be gone in a while. The API server writes
// whole seconds.
func (o object) going(grace time.Duration) object {
	o.deleted = time.Now().Add(grace).Truncate(time.Second)
	return o
}

func remove[K comparable, V any](m map[K]V, k K, grace time.Duration, mark func(V) V) {
	v, ok := m[k]
	switch {
	case !ok:
	case grace <= 0:
		delete(m, k)
	default:
		m[k] = mark(v)
	}
}
