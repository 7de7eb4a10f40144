package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"time"
)

// entry is a file of an archive or of an image.
type entry struct {
	name    string
	mode    int64
	content []byte
}

// writeArchives packs the plugin for each platform, and writes the manifest for krew,
// which names the archives.
func (r *release) writeArchives(_ context.Context, work string) error {
	licence, err := os.ReadFile(filepath.Join(r.root, "LICENSE"))
	if err != nil {
		return err
	}
	for _, p := range r.plugins {
		program, err := os.ReadFile(filepath.Join(work, p.file(), p.pluginFile()))
		if err != nil {
			return err
		}
		pack := tarGz
		if p.os == "windows" {
			pack = zipped
		}
		archive, err := pack([]entry{{p.pluginFile(), 0o755, program}, {"LICENSE", 0o644, licence}}, r.date)
		if err != nil {
			return err
		}
		if err := r.write(r.archive(p), archive); err != nil {
			return err
		}
	}
	return r.writeKrew()
}

// archive is the name of the plugin's archive for a platform.
func (r *release) archive(p platform) string {
	name := plugin + "_" + r.version + "_" + p.file()
	if p.os == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}

// tarred puts files into a tar archive. All belong to root and are of one time.
func tarred(entries []entry, date time.Time) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.content)), ModTime: date, Format: tar.FormatUSTAR}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}

func tarGz(entries []entry, date time.Time) ([]byte, error) {
	archive, err := tarred(entries, date)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(archive); err != nil {
		return nil, err
	}
	err = w.Close()
	return packed.Bytes(), err
}

func zipped(entries []entry, date time.Time) ([]byte, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: date}
		header.SetMode(os.FileMode(e.mode))
		file, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		if _, err := file.Write(e.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return archive.Bytes(), err
}
