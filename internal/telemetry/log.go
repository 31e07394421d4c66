package telemetry

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// NewLogger returns a logger that writes a line an event to w, and the level by
// which it can be changed while it runs. The levels are debug, info, warn and
// error; the formats json and console. Every line is written: whoever leaves
// some out says so itself.
//
// The bridge for client-go's log is [BridgeKlog], that for net/http's
// [BridgeStdLog].
func NewLogger(level, format string, w io.Writer) (*zap.Logger, zap.AtomicLevel, error) {
	l, err := ParseLevel(level)
	if err != nil {
		return nil, zap.AtomicLevel{}, err
	}
	enc, err := encoder(format)
	if err != nil {
		return nil, zap.AtomicLevel{}, err
	}
	out := zapcore.Lock(zapcore.AddSync(w))
	atomic := zap.NewAtomicLevelAt(l)
	log := zap.New(zapcore.NewCore(enc, out, atomic),
		zap.ErrorOutput(out),
		zap.AddStacktrace(zapcore.PanicLevel))
	return log, atomic, nil
}

// ParseLevel returns the level of that name: debug, info, warn or error. The
// higher ones that zap knows would hide errors.
func ParseLevel(name string) (zapcore.Level, error) {
	for l := zapcore.DebugLevel; l <= zapcore.ErrorLevel; l++ {
		if name == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("log level %q: want debug, info, warn or error", name)
}

func encoder(format string) (zapcore.Encoder, error) {
	cfg := zap.NewProductionEncoderConfig()
	cfg.TimeKey = "time"
	cfg.EncodeTime = encodeTime
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	switch format {
	case "json":
		return zapcore.NewJSONEncoder(cfg), nil
	case "console":
		cfg.EncodeLevel = zapcore.CapitalLevelEncoder
		return zapcore.NewConsoleEncoder(cfg), nil
	}
	return nil, fmt.Errorf("log format %q: want json or console", format)
}

// encodeTime writes RFC 3339 with milliseconds, in UTC, so that the lines of two
// pods sort by it.
func encodeTime(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
	zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z07:00")(t.UTC(), enc)
}
