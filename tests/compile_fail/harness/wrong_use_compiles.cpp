// expect: anything
int answer() { return 42; }
