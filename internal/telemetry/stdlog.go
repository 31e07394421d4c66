package telemetry

import (
	stdlog "log"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sallyport/internal/authn"
)

// BridgeStdLog sends what libraries write through the standard logger to log, as
// warnings. net/http's transport says there what an app sent without being
// asked. See [StdLog] for what becomes of the text.
//
// It changes the process.
func BridgeStdLog(log *zap.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(lines{log.Named("std"), zap.WarnLevel})
}

// StdLog returns a standard logger, as net/http wants one, that writes to log.
// Each text ends where it begins to quote: net/http repeats what it was sent,
// where anything may stand, a caller's token or an answer to somebody else.
func StdLog(log *zap.Logger, level zapcore.Level) *stdlog.Logger {
	return stdlog.New(lines{log, level}, "", 0)
}

// lines is an [io.Writer] of one log line a call.
type lines struct {
	log   *zap.Logger
	level zapcore.Level
}

// Write implements [io.Writer].
func (l lines) Write(p []byte) (int, error) {
	text, _, _ := strings.Cut(string(p), `"`)
	l.log.Log(l.level, strings.TrimSpace(authn.Redact(text)))
	return len(p), nil
}
