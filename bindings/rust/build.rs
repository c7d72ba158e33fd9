//! Says where libloquor is. Looks at LOQUOR_LIB_DIR, then asks pkg-config; without both, the linker looks where it always does.
//! With LOQUOR_STATIC the archive is linked, by what `pkg-config loquor-static` says. But for that it never fails: documentation,
//! `cargo check` and `cargo package` need no library.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for variable in ["LOQUOR_LIB_DIR", "LOQUOR_STATIC", "PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    if env::var("LOQUOR_STATIC").is_ok_and(|v| !matches!(v.as_str(), "" | "0")) {
        link_archive();
        return;
    }
    println!("cargo:rustc-link-lib=dylib=loquor");
    for folder in folders() {
        println!("cargo:rustc-link-search=native={folder}");
        // For this package's own tests and examples; cargo passes it on to no other, which see DEP_LOQUOR_LIB_DIR instead.
        if env::var("CARGO_CFG_UNIX").is_ok() {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
        }
        println!("cargo:lib_dir={folder}");
    }
}

fn folders() -> Vec<String> {
    if let Ok(folder) = env::var("LOQUOR_LIB_DIR") {
        return vec![folder];
    }
    let words = pkg_config("--libs-only-L", "loquor").unwrap_or_default();
    words.iter().filter_map(|word| word.strip_prefix("-L").map(String::from)).collect()
}

fn link_archive() {
    let Some(words) = pkg_config("--libs", "loquor-static") else {
        println!("cargo:warning=LOQUOR_STATIC is set, but pkg-config knows no loquor-static (PKG_CONFIG_PATH says where to look)");
        std::process::exit(1);
    };
    for word in &words {
        if let Some(folder) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(name) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={name}");
        } else if let Some(folder) = word.strip_suffix("libloquor.a").map(Path::new) {
            println!("cargo:rustc-link-search=native={}", folder.display());
            println!("cargo:rustc-link-lib=static=loquor");
        } else if word.starts_with('/') {
            println!("cargo:rustc-link-arg={word}"); // another library by its path
        } // the rest are flags for C compilers
    }
}

fn pkg_config(what: &str, package: &str) -> Option<Vec<String>> {
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let out = Command::new(program).args([what, package]).output().ok().filter(|out| out.status.success())?;
    Some(String::from_utf8_lossy(&out.stdout).split_whitespace().map(String::from).collect())
}
