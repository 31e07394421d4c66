package telemetry

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestNewLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands at 2000-01-01
		for _, tt := range []struct {
			format, want string
		}{
			{"json", `{"level":"info","time":"2000-01-01T00:00:00.000Z","msg":"hello","n":1}` + "\n"},
			{"console", "2000-01-01T00:00:00.000Z\tINFO\thello\t{\"n\": 1}\n"},
		} {
			var out bytes.Buffer
			log, _, err := NewLogger("info", tt.format, &out)
			if err != nil {
				t.Fatal(err)
			}
			log.Info("hello", zap.Int("n", 1))
			if out.String() != tt.want {
				t.Errorf("%s: %q, want %q", tt.format, out.String(), tt.want)
			}
		}
	})
}

// Wherever the machine thinks it is.
func TestTimesAreUTC(t *testing.T) {
	var out bytes.Buffer
	log, _, _ := NewLogger("info", "json", &out)
	noon := time.Date(2026, 1, 2, 12, 0, 0, 5e6, time.FixedZone("", 3600))
	if err := log.Core().Write(zapcore.Entry{Time: noon}, nil); err != nil {
		t.Fatal(err)
	}
	if want := `"time":"2026-01-02T11:00:00.005Z"`; !strings.Contains(out.String(), want) {
		t.Errorf("%s, want %s", out.String(), want)
	}
}

func TestLevels(t *testing.T) {
	for i, name := range []string{"debug", "info", "warn", "error"} {
		var out bytes.Buffer
		log, level, err := NewLogger(name, "json", &out)
		if err != nil {
			t.Fatal(err)
		}
		all := func() int {
			out.Reset()
			log.Debug("")
			log.Info("")
			log.Warn("")
			log.Error("")
			return strings.Count(out.String(), "\n")
		}
		if got := all(); got != 4-i {
			t.Errorf("%s: %d lines, want %d", name, got, 4-i)
		}
		level.SetLevel(zapcore.DebugLevel)
		if got := all(); got != 4 {
			t.Errorf("%s, then debug: %d lines, want 4", name, got)
		}
	}
}

func TestNewLoggerRefuses(t *testing.T) {
	for _, tt := range []struct{ level, format, want string }{
		{"", "json", `log level "": want debug, info, warn or error`},
		{"INFO", "json", `log level "INFO": want debug, info, warn or error`},
		{"fatal", "json", `log level "fatal": want debug, info, warn or error`},
		{"dpanic", "json", `log level "dpanic": want debug, info, warn or error`},
		{"info", "text", `log format "text": want json or console`},
		{"info", "", `log format "": want json or console`},
	} {
		if _, _, err := NewLogger(tt.level, tt.format, nil); err == nil || err.Error() != tt.want {
			t.Errorf("%q, %q: %v, want %s", tt.level, tt.format, err, tt.want)
		}
	}
}

// Errors come without a stack trace, and nothing is sampled away.
func TestEveryLineAndNoStack(t *testing.T) {
	var out bytes.Buffer
	log, _, _ := NewLogger("info", "json", &out)
	for range 1000 {
		log.Error("the same")
	}
	if n := strings.Count(out.String(), "\n"); n != 1000 {
		t.Errorf("%d lines, want 1000", n)
	}
	var line map[string]any
	if err := json.Unmarshal(out.Bytes()[:bytes.IndexByte(out.Bytes(), '\n')], &line); err != nil {
		t.Fatal(err)
	}
	if line["stacktrace"] != nil || line["caller"] != nil {
		t.Errorf("%v, want neither stack nor caller", line)
	}
}
