package config

import (
	"strings"
	"testing"
)

func TestHelpFitsTheScreen(t *testing.T) {
	for _, all := range []bool{false, true} {
		text := Help(all)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if !all && len(lines) > 24 {
			t.Errorf("%d lines, a screen has 24:\n%s", len(lines), text)
		}
		for _, line := range lines {
			if len(line) > 80 {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
	}
}

func TestHelpHasEveryFlag(t *testing.T) {
	all, common := Help(true), Help(false)
	for _, s := range settings {
		if !strings.Contains(all, "\n  --"+s.flag) || s.help == "" {
			t.Errorf("--help=all lacks --%s", s.flag)
		}
		if strings.Contains(common, "\n  --"+s.flag+" ") != s.common {
			t.Errorf("--help shows --%s = %v", s.flag, !s.common)
		}
		if s.def != "" && s.value != "" && s.learnt == "" && !strings.Contains(strings.Join(strings.Fields(all), " "), "default: "+s.def) {
			t.Errorf("--help=all lacks the default of --%s", s.flag)
		}
	}
	if !strings.Contains(common, "  sallyport serve --audience") || !strings.Contains(common, "--help=all") {
		t.Errorf("no example, or no way to more:\n%s", common)
	}
}

// TestExampleIsValid runs what the help shows.
func TestExampleIsValid(t *testing.T) {
	_, example, _ := strings.Cut(usage, "  sallyport serve ")
	example = strings.ReplaceAll(example, "\\\n", "")
	if got := problems(t, strings.Fields(example)...); len(got) > 0 {
		t.Error(got)
	}
}
