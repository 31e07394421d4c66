package demo

import "time"

// The pace: lifetimes shortened until a person sees them end, and no shorter
// than a busy laptop can follow.
const (
	// callerLife is how long the client's tokens live. The kubelet replaces
	// them when a fifth is left, give or take what it needs to notice.
	callerLife = 10 * time.Second
	// ownLife is that of the gate's own tokens. It differs, so that the two do
	// not always rotate together.
	ownLife = 16 * time.Second
	// recheck is the gate's --recheck: the API server's yes is good for so long.
	recheck = 2 * time.Second
	// keyInterval, keyCooldown and keyPause are the gate's keyRefresh.
	keyInterval = 2 * time.Second
	keyCooldown = time.Second
	keyPause    = time.Second
	// outage is how long the API server is down: longer than recheck, so that
	// no confirmation outlasts it.
	outage = 3 * time.Second

	// slack is what the gate may take beyond what it promises, for the machine
	// that it shares with everybody else here.
	slack = time.Second
	// startup is the longest wait for the gate to be started.
	startup = 15 * time.Second
	// recovery is how long after an outage everybody is served at last.
	recovery = 10 * time.Second
	// poll is the pause between two looks at something that is awaited.
	poll = 100 * time.Millisecond
)
