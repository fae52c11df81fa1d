/* What std asks a library to unwind the stack for, answered with nothing: binaries for boards have no tables that
 * say how. A panic ends the program where it happens, and a backtrace has no frames. With these in front the
 * linker leaves zig's libunwind out, and the printf it brings along.
 */

enum { END_OF_STACK = 5 };

int _Unwind_Backtrace(void *callback, void *argument) { return END_OF_STACK; }

/* Never called, as there is no frame to ask about; the linker drops them, but wants to find them. */
void *_Unwind_GetIP(void *frame) { return 0; }
void *_Unwind_GetIPInfo(void *frame, int *before) { return 0; }
void *_Unwind_GetLanguageSpecificData(void *frame) { return 0; }
void *_Unwind_GetRegionStart(void *frame) { return 0; }
void *_Unwind_GetTextRelBase(void *frame) { return 0; }
void *_Unwind_GetDataRelBase(void *frame) { return 0; }
void _Unwind_SetGR(void *frame, int number, void *value) {}
void _Unwind_SetIP(void *frame, void *value) {}
