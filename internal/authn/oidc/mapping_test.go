package oidc

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// claims decodes claims as they come in a token.
func claims(t *testing.T, text string) *jwt.Claims {
	t.Helper()
	token, err := jwt.Decode(raw(`{"alg":"RS256"}`) + "." + raw(text) + ".AA")
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return &token.Claims
}

func TestMappings(t *testing.T) {
	sub := Mappings{Username: Mapping{"sub", ""}}
	prefixed := Mappings{Username: Mapping{"sub", "idp:"}, Groups: Mapping{"groups", "idp:"}}
	groups := Mappings{Username: Mapping{"sub", ""}, Groups: Mapping{"groups", ""}}
	email := Mappings{Username: Mapping{"email", ""}}
	uid := Mappings{Username: Mapping{"sub", ""}, UID: Mapping{Claim: "oid"}}
	const no = "!" // refused
	for _, tc := range []struct {
		m      Mappings
		claims string
		user   string
		groups []string
		uid    string
	}{
		{sub, `{"sub":"u"}`, "u", nil, ""},
		{sub, `{"sub":""}`, no, nil, ""},
		{sub, `{}`, no, nil, ""},
		{sub, `{"name":"u"}`, no, nil, ""},
		{sub, `{"sub":"system:admin"}`, no, nil, ""},
		{sub, `{"sub":"system:"}`, no, nil, ""},
		{sub, `{"sub":"\u0073ystem:admin"}`, no, nil, ""},
		{sub, `{"sub":"systems"}`, "systems", nil, ""},
		{sub, `{"sub":"u","groups":["g"]}`, "u", nil, ""},
		{Mappings{Username: Mapping{"name", ""}}, `{"name":7}`, no, nil, ""},
		{Mappings{Username: Mapping{"name", ""}}, `{"name":null}`, no, nil, ""},
		{Mappings{Username: Mapping{"name", ""}}, `{"name":["u"]}`, no, nil, ""},
		{Mappings{Username: Mapping{"name", ""}}, `{"NAME":"u"}`, no, nil, ""},
		{Mappings{}, `{"sub":"u"}`, no, nil, ""},
		{Mappings{Username: Mapping{"", "p:"}}, `{"":"u"}`, no, nil, ""},

		{prefixed, `{"sub":"u","groups":["g","h"]}`, "idp:u", []string{"idp:g", "idp:h"}, ""},
		{prefixed, `{"sub":""}`, no, nil, ""},
		{prefixed, `{}`, no, nil, ""},
		{prefixed, `{"sub":"system:admin"}`, "idp:system:admin", nil, ""},
		{Mappings{Username: Mapping{"sub", "sys"}}, `{"sub":"tem:admin"}`, no, nil, ""},
		{Mappings{Username: Mapping{"sub", "system:"}}, `{"sub":"u"}`, no, nil, ""},
		{Mappings{Username: Mapping{"sub", ""}, Groups: Mapping{"groups", "sys"}}, `{"sub":"u","groups":["g","tem:masters"]}`, no, nil, ""},

		{groups, `{"sub":"u","groups":"g"}`, "u", []string{"g"}, ""},
		{groups, `{"sub":"u","groups":""}`, "u", nil, ""},
		{groups, `{"sub":"u","groups":[]}`, "u", nil, ""},
		{groups, `{"sub":"u","groups":null}`, "u", nil, ""},
		{groups, `{"sub":"u","groups":["","g",""]}`, "u", []string{"g"}, ""},
		{groups, `{"sub":"u","groups":{"g":1}}`, no, nil, ""},
		{groups, `{"sub":"u","groups":7}`, no, nil, ""},
		{groups, `{"sub":"u","groups":true}`, no, nil, ""},
		{groups, `{"sub":"u","groups":["g",7]}`, no, nil, ""},
		{groups, `{"sub":"u","groups":[["g"]]}`, no, nil, ""},
		{groups, `{"sub":"u","groups":["g","system:masters"]}`, no, nil, ""},
		{groups, `{"sub":"u","groups":"system:masters"}`, no, nil, ""},

		{email, `{"email":"a@b"}`, "a@b", nil, ""},
		{email, `{"email":"a@b","email_verified":true}`, "a@b", nil, ""},
		{email, `{"email":"a@b","email_verified": true }`, "a@b", nil, ""},
		{email, `{"email":"a@b","email_verified":false}`, no, nil, ""},
		{email, `{"email":"a@b","email_verified":"true"}`, no, nil, ""},
		{email, `{"email":"a@b","email_verified":null}`, no, nil, ""},
		{email, `{"email":"a@b","email_verified":1}`, no, nil, ""},
		{sub, `{"sub":"u","email_verified":false}`, "u", nil, ""},

		{uid, `{"sub":"u","oid":"7"}`, "u", nil, "7"},
		{uid, `{"sub":"u"}`, no, nil, ""},
		{uid, `{"sub":"u","oid":7}`, no, nil, ""},
		{uid, `{"sub":"u","oid":null}`, no, nil, ""},
	} {
		id, err := tc.m.Identity(claims(t, tc.claims))
		if tc.user == no {
			want(t, tc.claims, err, authn.Claims)
			if !reflect.DeepEqual(id, authn.Identity{}) {
				t.Errorf("%s: refused with %+v", tc.claims, id)
			}
			continue
		}
		if err != nil || id.Subject != tc.user || !slices.Equal(id.Groups, tc.groups) || id.UID != tc.uid {
			t.Errorf("%s: %+v, %v; want %q %q %q", tc.claims, id, err, tc.user, tc.groups, tc.uid)
		}
	}
}

func TestMappedExtra(t *testing.T) {
	m := Mappings{Username: Mapping{"sub", ""}}
	id, err := m.Identity(claims(t, `{"sub":"u","jti":"7"}`))
	if want := map[string][]string{"authentication.kubernetes.io/credential-id": {"JTI=7"}}; err != nil || !reflect.DeepEqual(id.Extra, want) {
		t.Errorf("%v, %v", id.Extra, err)
	}
}

func TestServiceAccount(t *testing.T) {
	const app = `"namespace":"ns","serviceaccount":{"name":"app","uid":"u1"}`
	const key = "authentication.kubernetes.io/"
	for name, tc := range map[string]struct {
		kubernetes string
		jti        string
		extra      map[string]string // without the keys' common beginning
	}{
		"unbound":           {app, ``, map[string]string{}},
		"with an id":        {app, `,"jti":"7"`, map[string]string{"credential-id": "JTI=7"}},
		"pod":               {app + `,"pod":{"name":"p","uid":"pu"}`, ``, map[string]string{"pod-name": "p", "pod-uid": "pu"}},
		"pod without a uid": {app + `,"pod":{"name":"p"}`, ``, map[string]string{}},
		"pod without name":  {app + `,"pod":{"uid":"pu"}`, ``, map[string]string{}},
		"pod on a node": {app + `,"pod":{"name":"p","uid":"pu"},"node":{"name":"n","uid":"nu"}`, `,"jti":"7"`,
			map[string]string{"pod-name": "p", "pod-uid": "pu", "node-name": "n", "node-uid": "nu", "credential-id": "JTI=7"}},
		"node that is gone":   {app + `,"node":{"name":"n"}`, ``, map[string]string{"node-name": "n"}},
		"node without a name": {app + `,"node":{"uid":"nu"}`, ``, map[string]string{}},
		"secret":              {app + `,"secret":{"name":"s","uid":"su"}`, ``, map[string]string{}},
	} {
		id, err := ServiceAccount(claims(t, `{"sub":"system:serviceaccount:ns:app","kubernetes.io":{`+tc.kubernetes+`}`+tc.jti+`}`))
		got := map[string]string{}
		for k, v := range id.Extra {
			got[strings.TrimPrefix(k, key)] = strings.Join(v, " and ")
		}
		if err != nil || id.Subject != "system:serviceaccount:ns:app" || id.UID != "u1" || !reflect.DeepEqual(got, tc.extra) {
			t.Errorf("%s: %+v, %v; want extra %v", name, id, err, tc.extra)
		}
		if want := []string{"system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"}; !slices.Equal(id.Groups, want) {
			t.Errorf("%s: groups %q", name, id.Groups)
		}
	}
}

func TestServiceAccountRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no kubernetes.io": `{"sub":"system:serviceaccount:ns:app"}`,
		"empty":            `{"sub":"system:serviceaccount:ns:app","kubernetes.io":{}}`,
		"no name":          `{"sub":"system:serviceaccount:ns:","kubernetes.io":{"namespace":"ns","serviceaccount":{"uid":"u"}}}`,
		"no namespace":     `{"sub":"system:serviceaccount::app","kubernetes.io":{"serviceaccount":{"name":"app"}}}`,
		"another name":     `{"sub":"system:serviceaccount:ns:app","kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"b"}}}`,
		"no sub":           `{"kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"app"}}}`,
		"a user":           `{"sub":"admin","kubernetes.io":{"namespace":"ns","serviceaccount":{"name":"app"}}}`,
	} {
		id, err := ServiceAccount(claims(t, text))
		want(t, name, err, authn.Claims)
		if id.Subject != "" {
			t.Errorf("%s: refused with %+v", name, id)
		}
	}
}

func TestNames(t *testing.T) {
	var n Names
	if n.Has("") || n.Has("a") || len(n.All()) != 0 {
		t.Error("the zero Names knows a name")
	}
	if fresh := n.Learn("a", "", "b", "a"); !slices.Equal(fresh, []string{"a", "b"}) {
		t.Errorf("new: %q", fresh)
	}
	if fresh := n.Learn("b", "c"); !slices.Equal(fresh, []string{"c"}) {
		t.Errorf("new: %q", fresh)
	}
	all := n.All()
	all[0] = "changed"
	if !slices.Equal(n.All(), []string{"a", "b", "c"}) || !n.Has("a") || n.Has("A") || n.Has("a/") || n.Has("") {
		t.Errorf("all: %q", n.All())
	}
	for i := range 100 {
		n.Learn(numbered(i))
	}
	if len(n.All()) != maxNames || !n.Has("a") {
		t.Errorf("%d names, and the first is known: %v", len(n.All()), n.Has("a"))
	}
}
