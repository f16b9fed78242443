// Renders a chart, a folder or an archive, with Helm's own code, as `helm template` does, after Helm's own check of it. For tests alone.
//
//	chart CHART NAMESPACE [VALUES.yaml]
package main

import (
	"fmt"
	"os"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"helm.sh/helm/v3/pkg/releaseutil"
)

func main() {
	values := chartutil.Values{}
	if len(os.Args) > 3 {
		var err error
		if values, err = chartutil.ReadValuesFile(os.Args[3]); err != nil {
			fail(err)
		}
	}
	if err := render(os.Args[1], os.Args[2], values); err != nil {
		fail(err)
	}
}

func render(chart, namespace string, values chartutil.Values) error {
	if err := check(chart, namespace, values); err != nil {
		return err
	}
	loaded, err := loader.Load(chart)
	if err != nil {
		return err
	}
	release := chartutil.ReleaseOptions{Name: "flannel", Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(loaded, values, release, nil)
	if err != nil {
		return err
	}
	files, err := engine.Render(loaded, all)
	if err != nil {
		return err
	}
	delete(files, loaded.Name()+"/templates/NOTES.txt")
	_, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return err
	}
	for _, manifest := range manifests {
		fmt.Printf("---\n%s\n", strings.TrimSpace(manifest.Content))
	}
	return nil
}

// Of an archive there is nothing to check that is not checked when it is loaded.
func check(chart, namespace string, values chartutil.Values) error {
	if info, err := os.Stat(chart); err != nil || !info.IsDir() {
		return err
	}
	found := lint.All(chart, values, namespace, true)
	if found.HighestSeverity < support.WarningSev {
		return nil
	}
	for _, message := range found.Messages {
		fmt.Fprintln(os.Stderr, message)
	}
	return fmt.Errorf("the chart breaks rules of Helm's")
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
