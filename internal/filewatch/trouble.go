package filewatch

import "go.uber.org/zap"

// maxTold is how many different problems of one spell of trouble are logged. A
// file has a handful of ways to be bad (missing, unreadable, empty, torn, too
// large); one that is bad in a new way each time must not fill the log.
const maxTold = 8

// A Trouble tells of a problem once, however often it is met, and says when it
// is over. It is not safe for concurrent use.
type Trouble struct {
	told map[string]bool
}

// Met logs msg and err at warn level, unless err was met since the last Over.
func (t *Trouble) Met(log *zap.Logger, msg string, err error) {
	if t.told == nil {
		t.told = map[string]bool{}
	}
	if text := err.Error(); !t.told[text] && len(t.told) < maxTold {
		t.told[text] = true
		log.Warn(msg, zap.Error(err))
	}
}

// Over logs msg at info level if there was trouble.
func (t *Trouble) Over(log *zap.Logger, msg string) {
	if t.told != nil {
		t.told = nil
		log.Info(msg)
	}
}
