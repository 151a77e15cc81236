module eventstore/interop

go 1.19
