// Package pages lets go of the parts of the program that only its start needed.
package pages

import (
	"fmt"
	"strconv"
	"strings"
)

// A mapping is a part of this process's memory.
type mapping struct{ start, end uintptr }

// clean returns those mappings of a file, in the text of smaps (proc(5)), that have
// nothing in them but what the file has: read-only, private, and no page of their own.
// The error is about a text that does not look like smaps.
func clean(smaps, file string) (all []mapping, err error) {
	var m mapping
	ours := false
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		if len(f) < 2 {
			return nil, fmt.Errorf("smaps has the line %q", line)
		}
		switch {
		case f[0] == "Anonymous:":
			if ours && f[1] == "0" {
				all = append(all, m)
			}
		case !strings.HasSuffix(f[0], ":"):
			// ADDRESSES RIGHTS OFFSET DEVICE INODE FILE, and the file may have spaces.
			if m, err = parse(f[0]); err != nil {
				return nil, err
			}
			_, name, _ := strings.Cut(line, "/")
			ours = (f[1] == "r-xp" || f[1] == "r--p") && "/"+strings.TrimSuffix(name, "\n") == file
		}
	}
	return all, nil
}

func parse(addresses string) (m mapping, err error) {
	from, to, _ := strings.Cut(addresses, "-")
	start, err := strconv.ParseUint(from, 16, strconv.IntSize)
	if err != nil {
		return m, fmt.Errorf("smaps: %w", err)
	}
	end, err := strconv.ParseUint(to, 16, strconv.IntSize)
	if err != nil {
		return m, fmt.Errorf("smaps: %w", err)
	}
	return mapping{uintptr(start), uintptr(end)}, nil
}
