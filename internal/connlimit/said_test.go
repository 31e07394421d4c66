package connlimit

import "testing"

// What speaks HTTP/2 is known from the first bytes, however they come.
func TestPreface(t *testing.T) {
	all := string(preface)
	for _, tc := range []struct {
		name         string
		came         []string
		must         bool
		http2, goes  bool
		streamsBegun int
	}{
		{"at once", []string{all}, false, true, true, 0},
		{"with more", []string{all + "\x00\x00\x00\x01\x05\x00\x00\x00\x01"}, false, true, true, 1},
		{"in parts", []string{"P", "", "RI * HTTP/2.0\r\n\r\nS", "M\r\n\r\n", "\x00\x00\x00\x01\x05\x00\x00\x00", "\x03"}, false, true, true, 1},
		{"not all of it", []string{"PRI * HTTP/2.0\r\n\r\n"}, false, false, true, 0},
		{"HTTP/1", []string{"GET / HTTP/1.1\r\n\r\n", all}, false, false, true, 0},
		{"a POST", []string{"P", "OST / HTTP/1.1\r\n\r\n"}, false, false, true, 0},
		{"as agreed", []string{all}, true, true, true, 0},
		{"not as agreed", []string{"P", "OST / HTTP/1.1\r\n\r\n"}, true, false, false, 0},
	} {
		l := New(2, nil)
		s := said{conn: &conn{limit: l, from: &address{}}, rest: preface, must: tc.must}
		goes := true
		for _, came := range tc.came {
			goes = s.came([]byte(came)) && goes
		}
		if s.session != nil != tc.http2 || goes != tc.goes || l.weight.Load() != int64(tc.streamsBegun) {
			t.Errorf("%s: HTTP/2 is %v, it goes on is %v, %d streams", tc.name, s.session != nil, goes, l.weight.Load())
		}
	}
}
