//! What every module needs to talk to C: handles, strings, buffers, callbacks.

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, lq_status, LQ_ERR_BUFFER_TOO_SMALL, LQ_OK};
use std::any::Any;
use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;

/// The error of a call that has just failed on this thread.
pub(crate) fn check(status: lq_status) -> Result<()> {
    if status == LQ_OK {
        Ok(())
    } else {
        Err(Error::last(status))
    }
}

/// An owned handle. A handle is a checked number to the library, never an address that is read, so it may move between
/// threads; what may be done with it at the same time is for the types around it to say.
pub(crate) struct Handle<T> {
    raw: *mut T,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Handle<T> {
    pub(crate) fn make(
        free: unsafe extern "C" fn(*mut T),
        create: impl FnOnce(*mut *mut T) -> lq_status,
    ) -> Result<Self> {
        let mut raw = std::ptr::null_mut();
        check(create(&mut raw))?;
        Ok(Handle { raw, free })
    }

    pub(crate) fn raw(&self) -> *mut T {
        self.raw
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: `free` is the function that the C interface names for this type, and takes any number.
        unsafe { (self.free)(self.raw) }
    }
}

// SAFETY: no function of the C interface depends on the thread that made a handle.
unsafe impl<T> Send for Handle<T> {}

pub(crate) fn flag(b: bool) -> i32 {
    i32::from(b)
}

/// For the C functions that take a NUL-terminated string.
pub(crate) fn cstring(bytes: impl Into<Vec<u8>>, what: &str) -> Result<CString> {
    CString::new(bytes).map_err(|_| Error::new(ErrorKind::InvalidArgument, format!("{what} holds NUL")))
}

pub(crate) fn optional(s: Option<&str>, what: &str) -> Result<Option<CString>> {
    s.map(|s| cstring(s, what)).transpose()
}

pub(crate) fn pointer(s: &Option<CString>) -> *const c_char {
    s.as_ref().map_or(std::ptr::null(), |s| s.as_ptr())
}

pub(crate) fn path(p: &Path) -> Result<CString> {
    cstring(p.as_os_str().as_encoded_bytes(), "the path")
}

/// A copy of what a call lends. NULL is "".
///
/// # Safety
/// `s` is NULL or NUL-terminated.
pub(crate) unsafe fn string(s: *const c_char) -> String {
    if s.is_null() {
        return String::new();
    }
    // SAFETY: as promised.
    unsafe { CStr::from_ptr(s) }.to_string_lossy().into_owned()
}

/// What a call lends, for as long as the caller knows that it lives.
///
/// # Safety
/// `data` points at `count` values that live for `'a`, or count is 0.
pub(crate) unsafe fn slice<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(data, count) }
}

/// What a buffer triple gives. The length may change between asking and getting (a log, another thread): ask again then.
pub(crate) fn bytes(mut fill: impl FnMut(*mut c_char, usize, *mut usize) -> lq_status) -> Result<Vec<u8>> {
    let mut length = 0;
    check(fill(std::ptr::null_mut(), 0, &mut length))?;
    loop {
        let mut out = vec![0u8; length + 1]; // the NUL is written too
        let status = fill(out.as_mut_ptr().cast(), out.len(), &mut length);
        if status != LQ_ERR_BUFFER_TOO_SMALL {
            check(status)?;
            out.truncate(length);
            return Ok(out);
        }
    }
}

pub(crate) fn text(fill: impl FnMut(*mut c_char, usize, *mut usize) -> lq_status) -> Result<String> {
    Ok(lossy(bytes(fill)?))
}

/// The JSON of a report.
pub(crate) fn report(create: impl FnOnce(*mut *mut ffi::lq_report) -> lq_status) -> Result<String> {
    let made = Handle::make(ffi::lq_report_free, create)?;
    let (mut text, mut length) = (std::ptr::null(), 0);
    // SAFETY: out-parameters and a live handle, from which the text is borrowed; copied here.
    unsafe {
        check(ffi::lq_report_json(&mut text, &mut length, made.raw()))?;
        Ok(lossy(slice(text.cast::<u8>(), length).to_vec()))
    }
}

/// Text from bytes that are UTF-8 almost always, without a copy then.
pub(crate) fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Token ids from a triple; `guess` is how many there may be, which spares the first call mostly.
pub(crate) fn ids(guess: usize, mut fill: impl FnMut(*mut i32, usize, *mut usize) -> lq_status) -> Result<Vec<i32>> {
    let mut out = vec![0; guess];
    let mut count = 0;
    loop {
        let status = fill(out.as_mut_ptr(), out.len(), &mut count);
        if status != LQ_ERR_BUFFER_TOO_SMALL {
            check(status)?;
            out.truncate(count);
            return Ok(out);
        }
        out.resize(count, 0);
    }
}

/// A callback of the host on its way through C. A panic may not unwind through C: it is kept, the call told to stop, and the
/// panic goes on where the call was made.
pub(crate) struct Callback<F> {
    pub(crate) call: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F> Callback<F> {
    pub(crate) fn new(call: F) -> Self {
        Callback { call, panic: None }
    }

    /// Non-zero: stop.
    pub(crate) fn run(&mut self, f: impl FnOnce(&mut F) -> ControlFlow<()>) -> c_int {
        if self.panic.is_some() {
            return 1;
        }
        match catch_unwind(AssertUnwindSafe(|| f(&mut self.call))) {
            Ok(flow) => c_int::from(flow.is_break()),
            Err(panic) => {
                self.panic = Some(panic);
                1
            }
        }
    }

    pub(crate) fn panicked(&self) -> bool {
        self.panic.is_some()
    }

    /// After the call.
    pub(crate) fn finish(self) {
        if let Some(panic) = self.panic {
            std::panic::resume_unwind(panic);
        }
    }
}
