package telemetry

import (
	"fmt"
	"reflect"

	"github.com/go-logr/logr"
	"go.uber.org/zap"
	"k8s.io/klog/v2"
)

// BridgeKlog sends what client-go logs through klog to log, at klog's verbosity
// 0 whatever our own level is: from 8 on, client-go prints the bodies of its
// requests, and the body of a TokenReview is a token. TestKlogPrintsNoBody
// fails if that ever gets through.
//
// It changes the process, so call it once, before client-go is used.
func BridgeKlog(log *zap.Logger) {
	var none klog.Level
	if err := none.Set("0"); err != nil {
		panic(err) // "0" is a number
	}
	// Contextual: client-go asks the sink below itself, without klog's own
	// verbosity in between.
	klog.SetLoggerWithOptions(logr.New(sink{log.Named("client-go")}), klog.ContextualLogger(true))
}

// sink is a [logr.LogSink] that writes to zap.
type sink struct{ log *zap.Logger }

// Init implements [logr.LogSink].
func (sink) Init(logr.RuntimeInfo) {}

// Enabled implements [logr.LogSink]. This is the bar that bodies do not pass.
func (sink) Enabled(verbosity int) bool { return verbosity <= 0 }

// Info implements [logr.LogSink]. klog asks for Enabled only where the message
// has a verbosity of its own, so it is asked again here.
func (s sink) Info(verbosity int, msg string, kv ...any) {
	if s.Enabled(verbosity) {
		s.log.Info(msg, fields(kv)...)
	}
}

// Error implements [logr.LogSink].
func (s sink) Error(err error, msg string, kv ...any) {
	s.log.Error(msg, append(fields(kv), zap.Error(err))...)
}

// WithValues implements [logr.LogSink].
func (s sink) WithValues(kv ...any) logr.LogSink { return sink{s.log.With(fields(kv)...)} }

// WithName implements [logr.LogSink].
func (s sink) WithName(name string) logr.LogSink { return sink{s.log.Named(name)} }

// fields turns keys and values into zap's fields.
func fields(kv []any) []zap.Field {
	fs := make([]zap.Field, 0, len(kv)/2+1)
	for ; len(kv) >= 2; kv = kv[2:] {
		fs = append(fs, zap.String(fmt.Sprint(kv[0]), text(kv[1])))
	}
	return fs
}

// text is the value of an error, a string, a number or a bool. Of anything else
// it is the type alone: a Kubernetes object prints all of itself, and a
// TokenReview's self is a token.
func text(v any) string {
	if _, ok := v.(error); ok || v == nil {
		return fmt.Sprint(v)
	}
	if k := reflect.TypeOf(v).Kind(); k == reflect.String || k < reflect.Array {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%T", v)
}
