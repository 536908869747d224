// expect: a sentence that no compiler says
#if defined(TOEPLITZ_EXPECT_ERROR)
int answer() { return undeclared; }
#endif
