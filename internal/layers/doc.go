// Package layers keeps the arrows between the packages pointing downwards. It
// has no code: its test reads the import lists of the whole module and compares
// them with a table that says what each package may know of.
package layers
