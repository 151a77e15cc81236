/* Two files of one program, one with exceptions and one without. */
#ifndef ES_TEST_MIXED_HPP
#define ES_TEST_MIXED_HPP

/* Throws, or aborts: whichever way its file was compiled. */
int fail_with_exceptions();
int fail_without_exceptions();

#endif
