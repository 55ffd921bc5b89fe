// Package models builds networks as Gorgonia expression graphs, with a normalization of
// package norm in each hidden layer.
//
// Normalize adds a normalization to a graph of one's own. A Network, which MLP
// assembles, is a whole one; it builds its graphs (Build) and compiles what goes with
// training: evaluation with running statistics (Evaluate), the refresh of statistics that
// live outside the graph (Refresh), their re-estimation over many rows (Statistics), and
// looks inside (Probe, Predict). Save and Load are its weights files, with PyTorch's
// names and shapes.
//
// OneLayer is the smallest network in which a normalization can go wrong.
package models
