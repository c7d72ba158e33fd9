module loquor

go 1.23
