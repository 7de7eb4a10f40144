package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// An SPDX 2.3 document, as far as ours use it.
type spdxDocument struct {
	SPDXVersion       string             `json:"spdxVersion"`
	DataLicense       string             `json:"dataLicense"`
	SPDXID            string             `json:"SPDXID"`
	Name              string             `json:"name"`
	DocumentNamespace string             `json:"documentNamespace"`
	CreationInfo      spdxCreation       `json:"creationInfo"`
	Packages          []spdxPackage      `json:"packages"`
	Relationships     []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	Name                  string         `json:"name"`
	SPDXID                string         `json:"SPDXID"`
	VersionInfo           string         `json:"versionInfo"`
	DownloadLocation      string         `json:"downloadLocation"`
	FilesAnalyzed         bool           `json:"filesAnalyzed"`
	Checksums             []spdxChecksum `json:"checksums,omitempty"`
	LicenseConcluded      string         `json:"licenseConcluded"`
	LicenseDeclared       string         `json:"licenseDeclared"`
	CopyrightText         string         `json:"copyrightText"`
	PrimaryPackagePurpose string         `json:"primaryPackagePurpose,omitempty"`
	ExternalRefs          []spdxRef      `json:"externalRefs,omitempty"`
}

type spdxChecksum struct {
	Algorithm     string `json:"algorithm"`
	ChecksumValue string `json:"checksumValue"`
}

type spdxRef struct {
	ReferenceCategory string `json:"referenceCategory"`
	ReferenceType     string `json:"referenceType"`
	ReferenceLocator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	SPDXElementID      string `json:"spdxElementId"`
	RelationshipType   string `json:"relationshipType"`
	RelatedSPDXElement string `json:"relatedSpdxElement"`
}

const (
	unsaid       = "NOASSERTION"
	documentID   = "SPDXRef-DOCUMENT"
	programID    = "SPDXRef-Program"
	spdxDataless = "CC0-1.0" // the licence that the specification wants for what a document says
)

// writeSBOMs writes a document for each program: what the linker put into it, as
// "go version -m" has it, and not all that go.mod names.
func (r *release) writeSBOMs(_ context.Context, work string) error {
	for _, p := range r.images {
		for _, program := range servers {
			path, name := filepath.Join(work, p.file(), program), "sallyport-"+program+"_"+r.version+"_"+p.file()
			if err := r.writeSBOM(path, program, name, rootsOf()); err != nil {
				return err
			}
		}
	}
	for _, p := range r.plugins {
		path, name := filepath.Join(work, p.file(), p.pluginFile()), plugin+"_"+r.version+"_"+p.file()
		if err := r.writeSBOM(path, plugin, name, nil); err != nil {
			return err
		}
	}
	return nil
}

// rootsOf is the module of the certificates that are in images beside the program.
func rootsOf() []*debug.Module {
	own, _ := debug.ReadBuildInfo()
	for _, module := range own.Deps {
		if module.Path == rootsModule {
			return []*debug.Module{module}
		}
	}
	return nil
}

func (r *release) writeSBOM(path, program, name string, beside []*debug.Module) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document := r.sbom(info, program, name, digest(content), beside)
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	return r.write(name+".spdx.json", append(text, '\n'))
}

// sbom describes a program, the modules in it, Go's library, and what lies beside it.
func (r *release) sbom(info *debug.BuildInfo, program, name, sha256 string, beside []*debug.Module) *spdxDocument {
	d := &spdxDocument{
		SPDXVersion: "SPDX-2.3", DataLicense: spdxDataless, SPDXID: documentID, Name: name,
		DocumentNamespace: fmt.Sprintf("https://sallyport.dev/spdx/%s/%s", name, sha256),
		CreationInfo:      spdxCreation{r.date.Format(time.RFC3339), []string{"Tool: sallyport-hack-release", "Organization: Sallyport"}},
		Packages: []spdxPackage{{
			Name: program, SPDXID: programID, VersionInfo: r.version, DownloadLocation: unsaid,
			Checksums:        []spdxChecksum{{"SHA256", sha256}},
			LicenseConcluded: unsaid, LicenseDeclared: "Apache-2.0", CopyrightText: unsaid, PrimaryPackagePurpose: "APPLICATION",
			ExternalRefs: []spdxRef{purl(info.Main.Path, r.version, info.Path)},
		}},
		Relationships: []spdxRelationship{{documentID, "DESCRIBES", programID}},
	}
	d.add("CONTAINS", &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")})
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		d.add("CONTAINS", module)
	}
	for _, module := range beside {
		d.add("DEPENDS_ON", module)
	}
	return d
}

// notInIDs is what an identifier of SPDX can't have.
var notInIDs = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// add adds a module, and how the program is related to it.
func (d *spdxDocument) add(relationship string, module *debug.Module) {
	id := "SPDXRef-Module-" + notInIDs.ReplaceAllString(module.Path+"-"+module.Version, "-")
	d.Packages = append(d.Packages, spdxPackage{
		Name: module.Path, SPDXID: id, VersionInfo: module.Version, DownloadLocation: unsaid,
		LicenseConcluded: unsaid, LicenseDeclared: unsaid, CopyrightText: unsaid, PrimaryPackagePurpose: "LIBRARY",
		ExternalRefs: []spdxRef{purl(module.Path, module.Version, "")},
	})
	d.Relationships = append(d.Relationships, spdxRelationship{programID, relationship, id})
}

// purl is how scanners for vulnerabilities know a module. Of a program it names the
// package in its module, too.
func purl(module, version, program string) spdxRef {
	locator := "pkg:golang/" + strings.ToLower(module) + "@" + strings.ReplaceAll(version, "+", "%2B")
	if path := strings.TrimPrefix(program, module+"/"); program != "" && path != program {
		locator += "#" + path
	}
	return spdxRef{"PACKAGE-MANAGER", "purl", locator}
}
