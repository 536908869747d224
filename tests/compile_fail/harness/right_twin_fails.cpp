// expect: anything
int answer() { return undeclared; }
