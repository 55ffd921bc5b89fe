package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// labelColumn is the header of the column of labels. Without it they are in the last column.
const labelColumn = "label"

// csvPair splits the paths of two CSV files at the comma between them.
func csvPair(data string) (train, test string, err error) {
	if i := strings.Index(strings.ToLower(data), extCSV+","); i >= 0 {
		i += len(extCSV)
		train, test = data[:i], data[i+1:]
	}
	if !hasExt(train, extCSV) || !hasExt(test, extCSV) || strings.Contains(strings.ToLower(test), extCSV+",") {
		return "", "", fmt.Errorf("%q is not two CSV files: name training and test rows with a comma between them, such as train.csv,test.csv", data)
	}
	return train, test, nil
}

func openCSV(path string) (*Set, error) {
	trainPath, testPath, err := csvPair(path)
	if err != nil {
		return nil, err
	}
	train, err := openTable(trainPath)
	if err != nil {
		return nil, err
	}
	test, err := openTable(testPath)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(train.names, test.names) {
		return nil, fmt.Errorf("%s begins with %s and %s with %s: give both the same first line, or none with numbers alone",
			trainPath, train.head(), testPath, test.head())
	}
	return together(trainPath, train.Split, testPath, test.Split)
}

// A table is a CSV file's rows.
type table struct {
	Split
	names  []string // of all columns, nil without a header
	labels int      // column
}

// head says how the file begins.
func (t *table) head() string {
	if t.names == nil {
		return "numbers"
	}
	return fmt.Sprintf("the names %.80s", strings.Join(t.names, ","))
}

func openTable(path string) (*table, error) {
	f, _, err := openOwn(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := readCSV(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// readCSV reads rows of numbers, one of which is the label. If a cell of the first line is not
// a number the line is a header.
func readCSV(from io.Reader) (*table, error) {
	br := bufio.NewReader(from)
	if mark, _ := br.Peek(3); string(mark) == "\ufeff" {
		_, _ = br.Discard(3)
	}
	r := csv.NewReader(br)
	r.ReuseRecord, r.TrimLeadingSpace, r.FieldsPerRecord = true, true, -1
	var t table
	for first := true; ; first = false {
		cells, err := r.Read()
		if err == io.EOF {
			break
		}
		if p := (*csv.ParseError)(nil); errors.As(err, &p) {
			return nil, fmt.Errorf("line %d, character %d: %w: put cells that hold quotes or commas in quotes", p.Line, p.Column, p.Err)
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		if first {
			if len(cells) < 2 {
				return nil, fmt.Errorf("line %d has one column: give features and a label, with commas between them", line)
			}
			t.Rows, t.Cols, t.Channels, t.labels = 1, len(cells)-1, 1, len(cells)-1
			if slices.ContainsFunc(cells, func(c string) bool { return !number(c) }) {
				if err := t.header(cells, line); err != nil {
					return nil, err
				}
				continue
			}
		}
		if len(cells) != t.Cols+1 {
			return nil, fmt.Errorf("line %d has %d columns, and the first line %d: give all as many", line, len(cells), t.Cols+1)
		}
		if len(t.Features) > maxItems-t.Cols {
			return nil, fmt.Errorf("line %d: there are more than %d numbers, the limit", line, maxItems)
		}
		if err := t.row(cells, line); err != nil {
			return nil, err
		}
	}
	if t.N == 0 {
		return nil, errors.New("it has no rows: give one or more")
	}
	return &t, nil
}

// number reports whether a cell holds one, NaN and infinities included.
func number(cell string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// header takes the names of the columns.
func (t *table) header(cells []string, line int) error {
	found := 0
	for i, c := range cells {
		c = strings.Clone(strings.TrimSpace(c)) // of a record that the reader uses again
		if c == "" {
			return fmt.Errorf("line %d: column %d has no name: leave it out if it is an index (index=False in pandas), or name it", line, i+1)
		}
		if t.names = append(t.names, c); strings.EqualFold(c, labelColumn) {
			t.labels = i
			found++
		}
	}
	if found > 1 {
		return fmt.Errorf("line %d names %d columns %s: leave one", line, found, labelColumn)
	}
	return nil
}

// row takes a line of numbers.
func (t *table) row(cells []string, line int) error {
	for i, c := range cells {
		c = strings.TrimSpace(c)
		fault := ""
		v, err := strconv.ParseFloat(c, 32)
		switch {
		case c == "":
			fault = "the cell is empty: fill it in or leave out the row"
		case errors.Is(err, strconv.ErrSyntax):
			fault = fmt.Sprintf("%.40q is not a number: encode it as one", c)
			if i == t.labels {
				fault = fmt.Sprintf("the label %.40q is not a whole number: number the classes from 0", c)
			}
		case i == t.labels:
			if fault = labelFault(v); fault == "" {
				t.Labels = append(t.Labels, int(v))
			}
		case v-v != 0:
			fault = fmt.Sprintf("%.40s is not finite in float32: mend it or leave out the row", c)
		default:
			t.Features = append(t.Features, float32(v))
		}
		if fault != "" {
			return fmt.Errorf("line %d, column %s: %s", line, t.column(i), fault)
		}
	}
	t.N++
	return nil
}

// column is a column's number, from 1 on, and its name.
func (t *table) column(i int) string {
	if t.names == nil {
		return strconv.Itoa(i + 1)
	}
	return fmt.Sprintf("%d (%.40s)", i+1, t.names[i])
}
