// Package onnx writes compiled Programs as ONNX models, which other runtimes evaluate.
//
// Export translates the one block of a forward Program (no loss, no update, no state that is
// written but the result) instruction by instruction. Instructions know matrices with a row
// for each example, or for each position of an image; a model has N examples in place of the
// Program's batch. Each instruction has a row in the table of translate.go; one that has
// none is refused in a sentence that names it.
//
// # Forms
//
// A matrix [rows, columns] is in the model what suits those that read it: itself, its
// transpose, or, of images, a tensor [N, channels, height, width]. Convolutions and pooling
// take and give images, what works by columns works on each form, and the others ask for the
// matrix, whose reshapes and transposes are written where they are needed. So a convolutional
// network is Conv, BatchNormalization, Relu, MaxPool, as exporters of other frameworks write it.
//
// # Version
//
// Opset 17 and IR version 8 (ONNX 1.12, 2022). The protobuf messages are written field by
// field (proto.go); numbers are raw little-endian float32, as the Program's are.
package onnx
