// Command kstatus says what kstatus makes of objects: the library that Flux, Helm 4 and kpt wait with.
//
// It reads objects, one JSON text a line, from standard input, and writes a line for each: its status, such as Current.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	if err := judge(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func judge(objects io.Reader, verdicts io.Writer) error {
	// A reader and not a scanner: that one has a longest line.
	lines := bufio.NewReader(objects)
	out := bufio.NewWriter(verdicts)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return out.Flush()
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("failed to read line %d: %w", number, err)
		}
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(line); err != nil {
			return fmt.Errorf("failed to decode line %d: %w", number, err)
		}
		result, err := status.Compute(&object)
		if err != nil {
			return fmt.Errorf("failed to judge line %d: %w", number, err)
		}
		fmt.Fprintln(out, result.Status)
	}
}
