package cli

import (
	"fmt"

	"driftless"

	"github.com/spf13/cobra"
)

func newLicences(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "licences",
		Aliases: []string{"licenses"},
		Short:   "Print the licences of Driftless and of what it contains",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(t.out, driftless.Licence, "\n", driftless.ThirdParty)
			return err
		},
	}
}
