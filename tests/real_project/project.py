"""What the test real_project knows about the project that it builds."""

# How the project is built, as cheaply as it can be: names and shell commands, run one after the other in the source tree.
STEPS = [
    ("configure", "./configure --disable-shared --disable-dependency-tracking CFLAGS=-O0"),
    ("make", "make"),
    ("check", "make check"),
]
STEP_LIMIT_SECONDS = 300

BRANCH = "main"

# The commit that breaks the compilation adds this line to this file; the compiler then says this.
BROKEN_FILE = "lib/md5.c"
BROKEN_LINE = "int this_is_not_c = MHASH_NO_SUCH_THING;\n"
BROKEN_ERROR = r"md5\.c:\d+:\d+: error: \S*MHASH_NO_SUCH_THING\S* undeclared"
BROKEN_SUBJECT = "break the compilation"
REPAIRED_SUBJECT = "repair the compilation"

# Release, 17 patches, break, repair.
COMMITS = 20
