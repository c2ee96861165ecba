// Prints facts of Kubernetes' Go types that OpenAPI leaves out: for every struct with JSON fields its definition name,
// and for every field the Go type that decoding errors name, whether it is a pointer, and whether zero is left out.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"sort"
	"strings"

	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	aggregator "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

func definition(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	host := strings.Split(parts[0], ".")
	for i, j := 0, len(host)-1; i < j; i, j = i+1, j-1 {
		host[i], host[j] = host[j], host[i]
	}
	return strings.Join(append(host, parts[1:]...), ".") + "." + t.Name()
}

var facts = map[string]map[string]string{}

// Flags: p pointer, e omitempty, z omitzero.
func fields(t reflect.Type, out map[string]string) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("json"), ",")
		if f.Anonymous && tag[0] == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				fields(inner, out)
			}
			continue
		}
		if !f.IsExported() || tag[0] == "-" || tag[0] == "" {
			continue
		}
		flags, ft := "", f.Type
		if ft.Kind() == reflect.Pointer {
			flags, ft = "p", ft.Elem()
		}
		for _, option := range tag[1:] {
			switch option {
			case "omitempty":
				flags += "e"
			case "omitzero":
				flags += "z"
			}
		}
		out[tag[0]] = flags + " " + ft.String()
		walk(ft)
	}
}

func walk(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		walk(t.Elem())
	case reflect.Struct:
		if !strings.HasPrefix(t.PkgPath(), "k8s.io/") {
			return
		}
		name := definition(t)
		if facts[name] != nil {
			return
		}
		facts[name] = map[string]string{}
		fields(t, facts[name])
	}
}

// One definition a line, so that a new version of Kubernetes gives a readable difference.
func write() {
	published := map[string]struct{ Properties map[string]any }{}
	text, err := os.ReadFile("../../../../resources/schema/definitions.json")
	if err == nil {
		err = json.Unmarshal(text, &published)
	}
	if err != nil {
		panic(err)
	}
	lines := []string{}
	for name, fields := range facts {
		if published[name].Properties == nil {
			continue
		}
		line, _ := json.Marshal(fields)
		key, _ := json.Marshal(name)
		lines = append(lines, string(key)+":"+string(line))
	}
	sort.Strings(lines)
	os.Stdout.WriteString("{\n" + strings.Join(lines, ",\n") + "\n}\n")
}

func main() {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, extensions.AddToScheme, aggregator.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	for _, t := range s.AllKnownTypes() {
		walk(t)
	}
	walk(reflect.TypeOf(meta.Status{}))
	write()
}
