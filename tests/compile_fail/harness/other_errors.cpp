// expect: first
// and no other error
#if defined(TOEPLITZ_EXPECT_ERROR)
static_assert(sizeof(char) == 2, "first");
static_assert(sizeof(char) == 3, "second");
#endif
