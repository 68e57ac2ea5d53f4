// go_tar extract DIRECTORY <ARCHIVE, go_tar pack DIRECTORY >ARCHIVE: what a plain program on Go's archive/tar and
// compress/gzip does, for bench/tarutil.py.
package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

func extract(directory string, in io.Reader) error {
	unzipped, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return err
	}
	made := map[string]bool{}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(directory, filepath.FromSlash(header.Name))
		switch header.Typeflag {
		case tar.TypeDir:
			if err := os.MkdirAll(path, 0o755); err != nil {
				return err
			}
			made[path] = true
		case tar.TypeReg:
			if parent := filepath.Dir(path); !made[parent] {
				if err := os.MkdirAll(parent, 0o755); err != nil {
					return err
				}
				made[parent] = true
			}
			file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, header.FileInfo().Mode().Perm())
			if err != nil {
				return err
			}
			if _, err := io.Copy(file, archive); err != nil {
				return err
			}
			if err := file.Close(); err != nil {
				return err
			}
			if err := os.Chtimes(path, header.ModTime, header.ModTime); err != nil {
				return err
			}
		}
	}
}

func pack(directory string, out io.Writer) error {
	zipped := gzip.NewWriter(out)
	archive := tar.NewWriter(zipped)
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == directory {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		if header.Name, err = filepath.Rel(directory, path); err != nil {
			return err
		}
		if info.IsDir() {
			header.Name += "/"
		}
		if err := archive.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(archive, file)
		return err
	})
	if err != nil {
		return err
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zipped.Close()
}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "extract":
		err = extract(os.Args[2], os.Stdin)
	case len(os.Args) == 3 && os.Args[1] == "pack":
		buffered := bufio.NewWriterSize(os.Stdout, 1<<16)
		if err = pack(os.Args[2], buffered); err == nil {
			err = buffered.Flush()
		}
	default:
		err = fmt.Errorf("usage: go_tar extract|pack DIRECTORY")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go_tar:", err)
		os.Exit(1)
	}
}
