package cli

import (
	"fmt"
	"io"
	"strings"

	"driftless/benchmarks"
	"driftless/models/norm"

	"github.com/spf13/cobra"
)

func newNorms(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "norms [name]",
		Short: "List the normalizations, or the settings of one",
		Long: `Norms lists the normalizations by what becomes of their statistics when a step is
taken. With a name it prints that one's settings and their defaults.`,
		Example: "  driftless norms batchnorm",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrong("%s takes one name, and got %d", cmd.CommandPath(), len(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return norm.Names(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var b strings.Builder
			if len(args) == 0 {
				listNorms(&b)
			} else if err := describeNorm(&b, args[0]); err != nil {
				return err
			}
			_, err := io.WriteString(t.out, b.String())
			return err
		},
	}
}

// nameColumn is the width of the names and keys.
const nameColumn = 21

func listNorms(b *strings.Builder) {
	for _, c := range norm.Classes {
		var of []norm.Method
		for _, m := range norm.Forms() {
			if norm.ClassOf(m) == c {
				of = append(of, m)
			}
		}
		if of == nil {
			continue
		}
		hang(b, 0, "", sentence(c.Meaning())+":")
		for _, m := range of {
			info, _ := norm.Lookup(m.Name())
			hang(b, nameColumn, "  "+norm.String(m), about(info))
		}
		b.WriteString("\n")
	}
	hang(b, 0, "", "An arm is name[:naive|graph][:affine|noaffine][:key=value…]; its keys are the norm's settings, which driftless norms NAME lists, and what an arm can have for itself: "+strings.Join(benchmarks.RecipeKeys(), ", ")+".")
}

func describeNorm(b *strings.Builder, name string) error {
	m, err := norm.New(name)
	if err != nil {
		return wrong("%w", err)
	}
	info, _ := norm.Lookup(name)
	meaning := sentence(norm.ClassOf(m).Meaning())
	if info.Treatments != nil {
		meaning = fmt.Sprintf("An arm that says neither naive nor graph is %s:%s, unless --grad says otherwise", name, benchmarks.Defaults().Grad)
	}
	hang(b, 0, "", name+": "+about(info)+". "+meaning+".")
	if settings := norm.Settings(m); len(settings) > 0 {
		b.WriteString("\n")
		for _, s := range settings {
			hang(b, nameColumn+7, "  "+s.Text(), s.Help)
		}
	}
	return nil
}

func about(i norm.Info) string {
	if i.Paper == "" {
		return i.Title
	}
	return fmt.Sprintf("%s (%s)", i.Title, i.Paper)
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// hang writes a name and a text beside it, in lines of at most 80 columns.
func hang(b *strings.Builder, column int, name, text string) {
	line := fmt.Sprintf("%-*s", column, name)
	if len([]rune(line)) > column-1 && column > 0 && !strings.HasSuffix(line, " ") { // no space between them
		b.WriteString(line + "\n")
		line = strings.Repeat(" ", column)
	}
	first := true
	for _, word := range strings.Fields(text) {
		if !first && len([]rune(line+" "+word)) > 80 {
			b.WriteString(line + "\n")
			line, first = strings.Repeat(" ", column), true
		}
		if !first {
			line += " "
		}
		line, first = line+word, false
	}
	b.WriteString(line + "\n")
}
