//! Findings as compile errors and warnings.

use jetbase_core::{Finding, Severity};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::environment::WarningPolicy;
use crate::input::EmbedInput;

/// The number of findings that are shown for each severity.
const MAX_SHOWN: usize = 20;

/// The errors and warnings of a call.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    span: Span,
    error_span: Span,
    policy: WarningPolicy,
    /// The errors of the call itself, each with its own span.
    call_errors: Vec<syn::Error>,
    /// The text of each error.
    errors: Vec<String>,
    /// The rule and the text of each warning.
    warnings: Vec<(String, String)>,
}

impl Diagnostics {
    pub(crate) fn new(input: &EmbedInput, policy: WarningPolicy) -> Self {
        Diagnostics {
            span: input.span(),
            error_span: input.error_span(),
            policy,
            call_errors: input.errors.clone(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds an error about the folder as a whole.
    pub(crate) fn add_error(&mut self, text: String) {
        self.errors.push(text);
    }

    /// Adds findings of a folder. Its path is shown in front of the file.
    pub(crate) fn add_findings<'f>(
        &mut self,
        findings: impl IntoIterator<Item = &'f Finding>,
        folder: &str,
    ) {
        for finding in findings {
            let text = finding.render(folder);
            match (finding.severity, self.policy) {
                (Severity::Error, _) | (Severity::Warning, WarningPolicy::Deny) => {
                    self.errors.push(text)
                }
                (Severity::Warning, WarningPolicy::Show) => {
                    self.warnings.push((finding.rule.to_owned(), text))
                }
            }
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.is_empty() || !self.call_errors.is_empty()
    }

    fn compile_error(&self, text: &str) -> TokenStream {
        quote_spanned! { self.error_span=> ::core::compile_error! { #text } }
    }

    /// Returns the use of a deprecated item: the only warning that stable Rust lets a macro emit.
    pub(crate) fn warning(&self, rule: &str, text: &str) -> TokenStream {
        let name = Ident::new(&format!("jetbase_{}", rule.replace('-', "_")), self.span);
        let note = format!("\n{text}");
        quote_spanned! { self.span=>
            const _: () = {
                #[deprecated(note = #note)]
                #[allow(non_upper_case_globals)]
                const #name: () = ();
                #name
            };
        }
    }
}

impl ToTokens for Diagnostics {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for error in &self.call_errors {
            tokens.extend(error.to_compile_error());
        }
        for text in self.errors.iter().take(MAX_SHOWN) {
            tokens.extend(self.compile_error(text));
        }
        if let Some(text) = more(self.errors.len()) {
            tokens.extend(self.compile_error(&text));
        }
        for (rule, text) in self.warnings.iter().take(MAX_SHOWN) {
            tokens.extend(self.warning(rule, text));
        }
        if let Some(text) = more(self.warnings.len()) {
            tokens.extend(self.warning("more", &text));
        }
        // The expansion reads the variable, so that cargo builds again when it changes.
        tokens.extend(quote! {
            const _: ::core::option::Option<&str> = ::core::option_env!("JETBASE_WARNINGS");
        });
    }
}

fn more(count: usize) -> Option<String> {
    let rest = count.checked_sub(MAX_SHOWN).filter(|rest| *rest > 0)?;
    Some(format!("and {rest} more in the same folder; correct the first ones and build again"))
}
