//! The migrations of the tests: the converted folders, embedded as a program embeds them.

jetbase::embed! { pub mod from_sqlx = "projects/sqlx/jetbase/migrations", adopt = sqlx }
jetbase::embed! { pub mod from_refinery = "projects/refinery/jetbase/migrations", adopt = refinery }
jetbase::embed! { pub mod from_diesel = "projects/diesel/jetbase/migrations", adopt = diesel }
jetbase::embed! { pub mod from_flyway = "projects/flyway/jetbase/migrations", adopt = flyway }
jetbase::embed! { pub mod from_sea_orm = "projects/sea-orm/jetbase/migrations", adopt = sea_orm_sql }
