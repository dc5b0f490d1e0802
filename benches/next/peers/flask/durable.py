"""The same service made durable: SQLAlchemy on PostgreSQL, one UPDATE ... RETURNING a request.

Each worker's pool has a connection for each of its 16 threads; SQLAlchemy's default (5, and 10 more that are closed after
use) would make threads wait and connect anew. psycopg prepares a statement by itself after its fifth use.
"""

import os

from flask import Flask, abort, jsonify
from sqlalchemy import BigInteger, create_engine, make_url, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from token_user import user

url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg")
engine = create_engine(url, pool_size=16, max_overflow=0)
app = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Counter(Base):
    __tablename__ = "counters"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


@app.post("/next")
def next_integer():
    statement = update(Counter).where(Counter.user_id == int(user())).values(value=Counter.value + 1)
    with Session(engine) as session:
        value = session.scalar(statement.returning(Counter.value))
        session.commit()
    if value is None:
        abort(404)
    return jsonify(current=value)
