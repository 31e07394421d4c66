package telemetry

import (
	stdlog "log"
	"strings"

	"go.uber.org/zap"
)

// BridgeStdLog sends what libraries write through the standard logger to log, as
// warnings. net/http's transport says there what an app sent without being
// asked, and quotes it: each text ends where it begins to quote, as anything may
// stand there, a caller's token or an answer to somebody else.
//
// It changes the process.
func BridgeStdLog(log *zap.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(lines{log.Named("std")})
}

// lines is an [io.Writer] of one log line a call.
type lines struct{ log *zap.Logger }

// Write implements [io.Writer].
func (l lines) Write(p []byte) (int, error) {
	text, _, _ := strings.Cut(string(p), `"`)
	l.log.Warn(strings.TrimSpace(text))
	return len(p), nil
}
