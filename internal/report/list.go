package report

import (
	"bytes"
	"html/template"
)

// Link is a page that a list names.
type Link struct{ Href, Title, About string }

var listPage = template.Must(template.New("list").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{{.Title}}</title>
<meta http-equiv="Content-Security-Policy" content="{{.Policy}}"/>
{{.Style}}
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<ul>
{{range .Links}}<li><a href="{{.Href}}">{{.Title}}</a>{{with .About}}<br/>{{.}}{{end}}</li>
{{end}}</ul>
</main>
</body>
</html>
`))

// List draws a page of links.
func List(title string, links []Link) (Page, error) {
	d := struct {
		Title, Policy string
		Style         template.HTML
		Links         []Link
	}{title, policy(styleText, "", false), template.HTML("<style>" + styleText + "</style>"), links}
	var buf bytes.Buffer
	err := listPage.Execute(&buf, d)
	return Page{bytes.Map(printable, bytes.ToValidUTF8(buf.Bytes(), []byte("\ufffd"))), d.Policy}, err
}
